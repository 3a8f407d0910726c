// Package receipt encodes, signs and verifies the signed objects of the
// market: orders, receipts, countersignatures, vouchers and the logins that
// name them, and the commitments and Merkle trees that bind content to them.
//
// Everything signed is EIP-712 typed data; docs/PROTOCOL.md section 3 lists the
// types. The bytes are fixed by testdata/vectors and depend on no serializer.
package receipt
