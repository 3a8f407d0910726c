// Package archtest holds the rules of the repository that a compiler does not
// know: which directory may import which, that every package is documented,
// where SQL may stand. Its tests check them.
//
// They read sources in process rather than asking the go command, so that a
// cached result is void when any source changes.
package archtest
