// Package cbor writes and reads by hand, without reflection, the part of CBOR (RFC 8949) that Sluice's own records are
// in, where that is much of all the work: deterministic encoding (4.2.1), structures as maps with small numbers for keys,
// times as texts in RFC 3339. What is written in any other way is for a library to read.
package cbor

// The major types, and the simple values that there are.
const (
	majorUint   = 0 << 5
	majorNegint = 1 << 5
	majorBytes  = 2 << 5
	majorText   = 3 << 5
	majorArray  = 4 << 5
	majorMap    = 5 << 5
	valueTrue   = 0xf5
	valueNull   = 0xf6
)
