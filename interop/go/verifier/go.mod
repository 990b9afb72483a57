module ybtoken/verifier

go 1.22
