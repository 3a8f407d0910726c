// Package siwe writes, reads and verifies the messages of EIP-4361, by which an Ethereum account signs in to a service.
package siwe

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/aitbc/aitbc/receipt"
)

// MaxMessage bounds a message in bytes.
const MaxMessage = 8 << 10

// ErrFormat says that a text is no message of EIP-4361.
var ErrFormat = errors.New("not a sign-in message of EIP-4361")

// A Message asks for a sign-in. Fields that are optional in EIP-4361 are empty when they are not given.
type Message struct {
	Scheme    string // of the origin, optional
	Domain    string // RFC 3986 authority that asks
	Address   common.Address
	Statement string // optional
	URI       string
	ChainID   uint64
	Nonce     string
	IssuedAt  time.Time
	Expires   time.Time // optional
	NotBefore time.Time // optional
	RequestID string    // optional
	Resources []string  // optional
}

const (
	wants   = " wants you to sign in with your Ethereum account:"
	layout  = "2006-01-02T15:04:05.000Z"
	version = "1"
)

// String returns the text that is signed.
func (m Message) String() string {
	var b strings.Builder
	if m.Scheme != "" {
		b.WriteString(m.Scheme + "://")
	}
	b.WriteString(m.Domain + wants + "\n" + m.Address.Hex() + "\n\n")
	if m.Statement != "" {
		b.WriteString(m.Statement + "\n")
	}
	fmt.Fprintf(&b, "\nURI: %s\nVersion: %s\nChain ID: %d\nNonce: %s\nIssued At: %s", m.URI, version, m.ChainID, m.Nonce, m.IssuedAt.UTC().Format(layout))
	if !m.Expires.IsZero() {
		b.WriteString("\nExpiration Time: " + m.Expires.UTC().Format(layout))
	}
	if !m.NotBefore.IsZero() {
		b.WriteString("\nNot Before: " + m.NotBefore.UTC().Format(layout))
	}
	if m.RequestID != "" {
		b.WriteString("\nRequest ID: " + m.RequestID)
	}
	if len(m.Resources) > 0 {
		b.WriteString("\nResources:")
		for _, r := range m.Resources {
			b.WriteString("\n- " + r)
		}
	}
	return b.String()
}

// Parse reads a message by the grammar of EIP-4361. Its errors wrap [ErrFormat] and say where.
func Parse(text string) (Message, error) {
	if len(text) > MaxMessage {
		return Message{}, fmt.Errorf("%w: longer than %d bytes", ErrFormat, MaxMessage)
	}
	p := parser{lines: strings.Split(text, "\n")}
	m := p.message()
	if p.err != nil {
		return Message{}, fmt.Errorf("%w: line %d: %w", ErrFormat, p.at, p.err)
	}
	return m, nil
}

// parser goes through the lines and keeps the first error.
type parser struct {
	lines []string
	at    int // of the line that was taken last, from 1
	err   error
}

func (p *parser) fail(format string, a ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, a...)
	}
}

func (p *parser) next() string {
	if p.at >= len(p.lines) {
		p.fail("the message breaks off")
		return ""
	}
	p.at++
	return p.lines[p.at-1]
}

// field takes a line that must begin with a name.
func (p *parser) field(name string) string {
	v, ok := strings.CutPrefix(p.next(), name)
	if !ok {
		p.fail("want %q", name)
	}
	return v
}

// option takes a line if it begins with a name.
func (p *parser) option(name string) (string, bool) {
	if p.err != nil || p.at >= len(p.lines) || !strings.HasPrefix(p.lines[p.at], name) {
		return "", false
	}
	return p.field(name), true
}

func (p *parser) message() (m Message) {
	origin, ok := strings.CutSuffix(p.next(), wants)
	if !ok {
		p.fail("it does not end with %q", wants)
	}
	m.Domain = origin
	if scheme, rest, ok := strings.Cut(origin, "://"); ok {
		if m.Scheme, m.Domain = scheme, rest; !isScheme(scheme) {
			p.fail("%.20q is no scheme", scheme)
		}
	}
	if u, err := url.Parse("//" + m.Domain); err != nil || u.Host == "" || u.Host != m.Domain || strings.ContainsAny(m.Domain, " \t\r") {
		p.fail("the domain is no host with an optional port")
	}
	address := p.next()
	m.Address = common.HexToAddress(address)
	if m.Address.Hex() != address {
		p.fail("the address is not 0x and 40 hex digits with the checksum of EIP-55")
	}
	if p.next() != "" {
		p.fail("want an empty line")
	}
	if line := p.next(); line != "" {
		m.Statement = line
		if strings.Trim(line, statementChars) != "" {
			p.fail("the statement has characters that EIP-4361 does not allow")
		}
		if p.next() != "" {
			p.fail("want an empty line")
		}
	}
	m.URI = p.uri(p.field("URI: "))
	if v := p.field("Version: "); v != version {
		p.fail("version %.20q, want %s", v, version)
	}
	id := p.field("Chain ID: ")
	var err error
	if m.ChainID, err = strconv.ParseUint(id, 10, 64); err != nil || strings.Trim(id, digits) != "" {
		p.fail("the chain id is no number")
	}
	if m.Nonce = p.field("Nonce: "); len(m.Nonce) < 8 || strings.Trim(m.Nonce, letters+digits) != "" {
		p.fail("the nonce has not 8 or more letters and digits")
	}
	m.IssuedAt = p.time(p.field("Issued At: "))
	if v, ok := p.option("Expiration Time: "); ok {
		m.Expires = p.time(v)
	}
	if v, ok := p.option("Not Before: "); ok {
		m.NotBefore = p.time(v)
	}
	if v, ok := p.option("Request ID: "); ok {
		if m.RequestID = v; strings.Trim(v, pathChars) != "" {
			p.fail("the request id has characters that EIP-4361 does not allow")
		}
	}
	if v, ok := p.option("Resources:"); ok {
		if v != "" {
			p.fail("want a line that ends with %q", "Resources:")
		}
		for p.err == nil && p.at < len(p.lines) {
			m.Resources = append(m.Resources, p.uri(p.field("- ")))
		}
	}
	if p.err == nil && p.at < len(p.lines) {
		p.at++
		p.fail("there is more than a message")
	}
	return m
}

const (
	letters    = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits     = "0123456789"
	unreserved = letters + digits + "-._~"
	subDelims  = "!$&'()*+,;="
	pathChars  = unreserved + "%" + subDelims + ":@"
	// reserved, unreserved and the space
	statementChars = unreserved + subDelims + ":/?#[]@ "
	uriChars       = unreserved + subDelims + "%:/?#[]@"
)

func isScheme(s string) bool {
	return s != "" && strings.Contains(letters, s[:1]) && strings.Trim(s, letters+digits+"+-.") == ""
}

func (p *parser) uri(s string) string {
	if u, err := url.Parse(s); err != nil || !isScheme(u.Scheme) || strings.Trim(s, uriChars) != "" {
		p.fail("%.60q is no absolute URI", s)
	}
	return s
}

func (p *parser) time(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		p.fail("%.40q is no time of RFC 3339", s)
	}
	return t
}

// digest is what EIP-191 has an account sign for a text.
func digest(text string) common.Hash {
	return crypto.Keccak256Hash(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d", len(text)), []byte(text))
}

// Sign returns the account's signature of the message, as EIP-191 has it (personal_sign).
func Sign(s receipt.Signer, m Message) (receipt.Signature, error) {
	b, err := s.SignDigest(digest(m.String()))
	if err != nil || len(b) != 65 || b[64] > 1 {
		return receipt.Signature{}, errors.Join(err, receipt.ErrSignature)
	}
	sig := receipt.Signature(b)
	sig[64] += 27
	return sig, nil
}

// Verify reads a text and returns the message if the account that it names has signed it. It does not judge what the
// message says. Its errors wrap [ErrFormat] and [receipt.ErrSignature].
func Verify(text string, sig receipt.Signature) (Message, error) {
	m, err := Parse(text)
	if err != nil {
		return Message{}, err
	}
	got, err := receipt.RecoverDigest(digest(text), sig)
	if err != nil {
		return Message{}, err
	}
	if got != m.Address {
		return Message{}, fmt.Errorf("%w: signed by %s, the message names %s", receipt.ErrSignature, got, m.Address)
	}
	return m, nil
}
