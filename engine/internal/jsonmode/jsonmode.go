// Package jsonmode knows which texts are the beginning of a JSON object, so that a
// model can be kept from writing anything else.
package jsonmode

// maxDepth bounds how deeply arrays and objects may nest.
const maxDepth = 64

// maxBlanks bounds the blanks between two parts, on which models can get lost.
const maxBlanks = 2

// state is what may come next.
type state uint8

const (
	start       state = iota // the object's brace
	firstKey                 // a key or the end of the object
	key                      // a key
	colon                    // the colon behind a key
	value                    // a value
	firstValue               // a value or the end of the array
	after                    // a comma or the end
	inString                 // a character of a string
	escape                   // what follows a backslash
	hex                      // a hexadecimal digit of \uXXXX
	literal                  // the rest of true, false or null
	minus                    // a digit behind a minus
	zero                     // behind a leading zero
	digits                   // behind a digit of the whole part
	point                    // a digit behind the point
	fraction                 // behind a digit of the fraction
	exponent                 // a sign or digit behind e
	sign                     // a digit behind the exponent's sign
	exponentEnd              // behind a digit of the exponent
	done                     // nothing
)

// A Prefix is a beginning of a JSON object. The zero value is the empty text.
// Prefixes are values: to try a continuation, copy one.
type Prefix struct {
	state  state
	isKey  bool  // the string is a key
	left   uint8 // hexadecimal digits to come
	blanks uint8
	rest   string // of the literal
	depth  int
	object [maxDepth]bool // whether each open bracket is a brace
}

// Complete says that the text is a whole object.
func (p *Prefix) Complete() bool { return p.state == done }

// Add continues the text. It returns false, and leaves p in no useful state, when
// no JSON object begins like that.
func (p *Prefix) Add(text []byte) bool {
	for _, b := range text {
		if !p.add(b) {
			return false
		}
	}
	return true
}

func (p *Prefix) add(b byte) bool {
	switch p.state {
	case inString:
		return p.character(b)
	case escape:
		return p.escaped(b)
	case hex:
		if p.left--; p.left == 0 {
			p.state = inString
		}
		return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
	case literal:
		if p.rest[0] != b {
			return false
		}
		if p.rest = p.rest[1:]; p.rest == "" {
			p.state = after
		}
		return true
	case minus, zero, digits, point, fraction, exponent, sign, exponentEnd:
		if p.number(b) {
			return true
		}
		if p.state == minus || p.state == point || p.state == exponent || p.state == sign {
			return false
		}
		p.state = after // the number is over; b comes behind it
	default: // b stands between strings, literals and numbers
	}
	if b == ' ' || b == '\n' || b == '\t' || b == '\r' {
		p.blanks++
		return p.state != start && p.state != done && p.blanks <= maxBlanks
	}
	p.blanks = 0
	return p.structure(b)
}

// structure takes a byte between strings and numbers.
func (p *Prefix) structure(b byte) bool {
	switch p.state {
	case start:
		return b == '{' && p.open(true)
	case firstKey, key:
		if b == '"' {
			p.state, p.isKey = inString, true
			return true
		}
		return p.state == firstKey && b == '}' && p.close()
	case colon:
		p.state = value
		return b == ':'
	case firstValue:
		if b == ']' {
			return p.close()
		}
		return p.begin(b)
	case value:
		return p.begin(b)
	case after:
		object := p.object[p.depth-1]
		switch {
		case b == ',' && object:
			p.state = key
		case b == ',':
			p.state = value
		case b == '}' && object, b == ']' && !object:
			return p.close()
		default:
			return false
		}
		return true
	default: // inside a string, literal or number, or at the end
		return false
	}
}

// begin takes the first byte of a value.
func (p *Prefix) begin(b byte) bool {
	switch {
	case b == '{':
		return p.open(true)
	case b == '[':
		return p.open(false)
	case b == '"':
		p.state, p.isKey = inString, false
	case b == 't':
		p.state, p.rest = literal, "true"[1:]
	case b == 'f':
		p.state, p.rest = literal, "false"[1:]
	case b == 'n':
		p.state, p.rest = literal, "null"[1:]
	case b == '-':
		p.state = minus
	case b == '0':
		p.state = zero
	case b >= '1' && b <= '9':
		p.state = digits
	default:
		return false
	}
	return true
}

func (p *Prefix) open(object bool) bool {
	if p.depth == maxDepth {
		return false
	}
	p.object[p.depth] = object
	p.depth++
	p.state = firstValue
	if object {
		p.state = firstKey
	}
	return true
}

func (p *Prefix) close() bool {
	p.depth--
	p.state = after
	if p.depth == 0 {
		p.state = done
	}
	return true
}

func (p *Prefix) character(b byte) bool {
	switch {
	case b == '"' && p.isKey:
		p.state = colon
	case b == '"':
		p.state = after
	case b == '\\':
		p.state = escape
	}
	return b >= ' '
}

func (p *Prefix) escaped(b byte) bool {
	switch b {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.state = inString
	case 'u':
		p.state, p.left = hex, 4
	default:
		return false
	}
	return true
}

// number takes a byte that continues a number.
func (p *Prefix) number(b byte) bool {
	digit := b >= '0' && b <= '9'
	switch p.state {
	case minus:
		if !digit {
			return false
		}
		p.state = digits
		if b == '0' {
			p.state = zero
		}
		return true
	case zero, digits:
		switch {
		case digit && p.state == digits:
		case b == '.':
			p.state = point
		case b == 'e' || b == 'E':
			p.state = exponent
		default:
			return false
		}
		return true
	case point, fraction:
		switch {
		case digit:
			p.state = fraction
		case p.state == fraction && (b == 'e' || b == 'E'):
			p.state = exponent
		default:
			return false
		}
		return true
	case exponent, sign, exponentEnd:
		switch {
		case digit:
			p.state = exponentEnd
		case p.state == exponent && (b == '+' || b == '-'):
			p.state = sign
		default:
			return false
		}
		return true
	default: // no number
		return false
	}
}
