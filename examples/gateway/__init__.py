"""A gateway that a person can touch: the library behind HTTP, a phone's page and a terminal's page. See README.md."""
