package main

import (
	"regexp"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// parseJSON reads JSON that hides nothing, because encoding/json takes the last of two members with one name and makes
// replacement characters of what is no UTF-8. It returns int64, string, bool, nil, []any and map[string]any; and a
// jsonError for what a key set must not be.
func parseJSON(document []byte) (value any) {
	defer func() {
		if found := recover(); found != nil {
			if _, ours := found.(malformed); !ours {
				panic(found)
			}
			value = jsonError{}
		}
	}()
	must(utf8.Valid(document))
	p := jsonParser{document}
	value = p.value(0)
	p.space()
	must(len(p.rest) == 0)
	return value
}

type jsonError struct{}

type jsonParser struct{ rest []byte }

func (p *jsonParser) space() {
	for len(p.rest) > 0 && (p.rest[0] == ' ' || p.rest[0] == '\t' || p.rest[0] == '\n' || p.rest[0] == '\r') {
		p.rest = p.rest[1:]
	}
}

func (p *jsonParser) next() byte {
	must(len(p.rest) > 0)
	first := p.rest[0]
	p.rest = p.rest[1:]
	return first
}

var (
	jsonNumber = regexp.MustCompile(`^-?[0-9.eE+-]+`)
	jsonWhole  = regexp.MustCompile(`^(?:0|-?[1-9][0-9]*)$`)
	jsonWord   = regexp.MustCompile(`^(?:true|false|null)`)
)

func (p *jsonParser) value(depth int) any {
	must(depth < 8)
	p.space()
	must(len(p.rest) > 0)
	switch p.rest[0] {
	case '"':
		return p.text()
	case '[':
		items := []any{}
		p.items(']', func() { items = append(items, p.value(depth+1)) })
		return items
	case '{':
		object := map[string]any{}
		p.items('}', func() {
			must(len(p.rest) > 0 && p.rest[0] == '"')
			name := p.text()
			_, twice := object[name]
			must(!twice)
			p.space()
			must(p.next() == ':')
			object[name] = p.value(depth + 1)
		})
		return object
	}
	if word := jsonWord.Find(p.rest); word != nil {
		p.rest = p.rest[len(word):]
		return map[string]any{"true": true, "false": false, "null": nil}[string(word)]
	}
	found := jsonNumber.Find(p.rest)
	must(jsonWhole.Match(found))
	p.rest = p.rest[len(found):]
	number, err := strconv.ParseInt(string(found), 10, 64)
	must(err == nil && -(1<<53-1) <= number && number <= 1<<53-1)
	return number
}

func (p *jsonParser) items(end byte, read func()) {
	p.next()
	p.space()
	if len(p.rest) > 0 && p.rest[0] == end {
		p.next()
		return
	}
	for {
		read()
		p.space()
		separator := p.next()
		if separator == end {
			return
		}
		must(separator == ',')
		p.space()
	}
}

func (p *jsonParser) text() string {
	p.next()
	text := []byte{}
	for {
		letter := p.next()
		switch {
		case letter == '"':
			return string(text)
		case letter < 0x20:
			panic(malformed{})
		case letter != '\\':
			text = append(text, letter)
		default:
			text = utf8.AppendRune(text, p.escape())
		}
	}
}

func (p *jsonParser) escape() rune {
	letter := p.next()
	if letter != 'u' {
		found, known := map[byte]rune{
			'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
		}[letter]
		must(known)
		return found
	}
	unit := p.unit()
	if !utf16.IsSurrogate(unit) {
		return unit
	}
	must(p.next() == '\\' && p.next() == 'u')
	whole := utf16.DecodeRune(unit, p.unit())
	must(whole != utf8.RuneError)
	return whole
}

func (p *jsonParser) unit() rune {
	must(len(p.rest) >= 4)
	number, err := strconv.ParseUint(string(p.rest[:4]), 16, 16)
	must(err == nil)
	p.rest = p.rest[4:]
	return rune(number)
}
