//go:build amd64 && !purego

#include "textflag.h"
#include "tree_amd64.h"

// Rows of Q4_K and Q6_K: blocks of 256 weights whose parts have scales of their own,
// which are integers, so that sums are integers for a whole block. Lane l has the
// weights 4l to 4l+3 of each 32.

// AHEAD is how many bytes before their turn weights are asked of the memory: the
// processor's own look ahead ends with each page.
#define AHEAD 2048

// SCALES4K takes the twelve bytes at 4(DI) apart: the eight scales go, as words, to
// 0(SP), and the eight minima, times their half, to Y2.
#define SCALES4K \
	MOVL 4(DI), AX; \
	MOVL 8(DI), BX; \
	MOVL 12(DI), DX; \
	MOVL AX, R14; \
	SHRL $2, R14; \
	ANDL $0x30303030, R14; \
	MOVL DX, R15; \
	ANDL $0x0f0f0f0f, R15; \
	ORL  R15, R14; \
	SHLQ $32, R14; \
	ANDL $0x3f3f3f3f, AX; \
	ORQ  R14, AX; \
	MOVL BX, R14; \
	SHRL $2, R14; \
	ANDL $0x30303030, R14; \
	SHRL $4, DX; \
	ANDL $0x0f0f0f0f, DX; \
	ORL  DX, R14; \
	SHLQ $32, R14; \
	ANDL $0x3f3f3f3f, BX; \
	ORQ  R14, BX; \
	VMOVQ AX, X1; \
	VPMOVZXBW X1, X1; \
	VMOVDQU X1, 0(SP); \
	VMOVQ BX, X2; \
	VPMOVZXBD X2, Y2; \
	VCVTDQ2PS Y2, Y2; \
	VPBROADCASTW 2(DI), X4; \
	VCVTPH2PS X4, Y4; \
	VMULPS Y4, Y2, Y2

// BYTES adds the products of the bytes in q with those at off(SI), times the words in
// scale, to Y9.
#define BYTES(q, off, scale) \
	VPMADDUBSW off(SI), q, q; \
	VPMADDWD scale, q, q; \
	VPADDD q, Y9, Y9

#define PAIR4K(src, off, at) \
	VMOVDQU src(DI), Y3; \
	VPBROADCASTW at(SP), Y10; \
	VPBROADCASTW at+2(SP), Y11; \
	VPSRLW $4, Y3, Y4; \
	VPAND Y5, Y3, Y3; \
	VPAND Y5, Y4, Y4; \
	BYTES(Y3, off, Y10); \
	BYTES(Y4, off+32, Y11)

// SUM adds the integers in Y9, times the half at d and the float at R9, to Y0.
#define SUM(d) \
	VPBROADCASTW d, X1; \
	VCVTPH2PS X1, Y1; \
	VBROADCASTSS (R9), Y3; \
	VMULPS Y3, Y1, Y1; \
	VCVTDQ2PS Y9, Y9; \
	VMULPS Y1, Y9, Y9; \
	VADDPS Y9, Y0, Y0; \
	ADDQ $4, R9

// func rowsQ4K(y *float32, w *byte, x *int8, xs, sums *float32, supers, rows int)
TEXT ·rowsQ4K(SB), NOSPLIT, $16-56
	MOVQ y+0(FP), R8
	MOVQ w+8(FP), DI
	MOVQ rows+48(FP), R13
	VPBROADCASTB nibble<>(SB), Y5
row:
	MOVQ x+16(FP), SI
	MOVQ xs+24(FP), R9
	MOVQ sums+32(FP), R12
	MOVQ supers+40(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y6, Y6, Y6
super:
	PREFETCHT0 AHEAD(DI)
	PREFETCHT0 AHEAD+64(DI)
	PREFETCHT0 AHEAD+128(DI)
	SCALES4K
	VMULPS (R12), Y2, Y2
	VADDPS Y2, Y6, Y6
	VPXOR Y9, Y9, Y9
	PAIR4K(16, 0, 0)
	PAIR4K(48, 64, 4)
	PAIR4K(80, 128, 8)
	PAIR4K(112, 192, 12)
	SUM((DI))
	ADDQ $32, R12
	ADDQ $256, SI
	ADDQ $144, DI
	DECQ CX
	JNZ  super
	TREE(Y0, X0, X3)
	TREE(Y6, X6, X3)
	VSUBSS X6, X0, X0
	VMOVSS X0, (R8)
	ADDQ $4, R8
	DECQ R13
	JNZ  row
	VZEROUPPER
	RET

// SIX joins low bits in q and high bits, at their place, in h.
#define SIX(q, h) \
	VPAND Y5, q, q; \
	VPAND Y6, h, h; \
	VPOR  h, q, q

// SCALE6 sets y to the two scales at off(BX), one in each half.
#define SCALE6(off, y) \
	VPBROADCASTD off(BX), y; \
	VPSHUFB Y7, y, y

// PART6 adds a block of 32, less 32 of each weight. The words at R10 are 32 times the
// sums of two neighbours.
#define PART6(q, h, off, at) \
	SIX(q, h); \
	SCALE6(at, Y10); \
	VPMADDUBSW off(SI), q, q; \
	VPSUBW off(R10), q, q; \
	VPMADDWD Y10, q, q; \
	VPADDD q, Y9, Y9

#define HALF6K(ql, qh, off, at) \
	VMOVDQU ql(DI), Y3; \
	VMOVDQU ql+32(DI), Y4; \
	VMOVDQU qh(DI), Y8; \
	VPSRLW $4, Y3, Y11; \
	VPSRLW $4, Y4, Y12; \
	VPSLLW $4, Y8, Y13; \
	PART6(Y3, Y13, off, at); \
	VPSLLW $2, Y8, Y13; \
	PART6(Y4, Y13, off+32, at+4); \
	VMOVDQA Y8, Y13; \
	PART6(Y11, Y13, off+64, at+8); \
	VPSRLW $2, Y8, Y13; \
	PART6(Y12, Y13, off+96, at+12)

// func rowsQ6K(y *float32, w *byte, x *int8, pairs *int16, xs *float32, supers, rows int)
TEXT ·rowsQ6K(SB), NOSPLIT, $32-56
	MOVQ y+0(FP), R8
	MOVQ w+8(FP), DI
	MOVQ rows+48(FP), R13
	VPBROADCASTB nibble<>(SB), Y5
	VPBROADCASTB high<>(SB), Y6
	VMOVDQU halves<>(SB), Y7
	LEAQ 0(SP), BX
row:
	MOVQ x+16(FP), SI
	MOVQ pairs+24(FP), R10
	MOVQ xs+32(FP), R9
	MOVQ supers+40(FP), CX
	VXORPS Y0, Y0, Y0
super:
	PREFETCHT0 AHEAD(DI)
	PREFETCHT0 AHEAD+64(DI)
	PREFETCHT0 AHEAD+128(DI)
	PREFETCHT0 AHEAD+192(DI)
	VPMOVSXBW 192(DI), Y1
	VMOVDQU Y1, 0(SP)
	VPXOR Y9, Y9, Y9
	HALF6K(0, 128, 0, 0)
	HALF6K(64, 160, 128, 16)
	SUM(208(DI))
	ADDQ $256, SI
	ADDQ $256, R10
	ADDQ $210, DI
	DECQ CX
	JNZ  super
	TREE(Y0, X0, X3)
	VMOVSS X0, (R8)
	ADDQ $4, R8
	DECQ R13
	JNZ  row
	VZEROUPPER
	RET

// What follows takes one row apart, into words times their scales: of each 32, first
// the weights 4l and 4l+1 of all lanes, then 4l+2 and 4l+3.

#define WORDS(q, scale) \
	VPSHUFB Y14, q, Y12; \
	VPSHUFB Y15, q, Y13; \
	VPMULLW scale, Y12, Y12; \
	VPMULLW scale, Y13, Y13; \
	VMOVDQU Y12, (SI); \
	VMOVDQU Y13, 32(SI); \
	ADDQ $64, SI

#define UNPACK4K(src, at) \
	VMOVDQU src(DI), Y3; \
	VPBROADCASTW at(SP), Y10; \
	VPBROADCASTW at+2(SP), Y11; \
	VPSRLW $4, Y3, Y4; \
	VPAND Y5, Y3, Y3; \
	VPAND Y5, Y4, Y4; \
	WORDS(Y3, Y10); \
	WORDS(Y4, Y11)

// func unpackQ4K(w *int16, scales, minima *float32, src *byte, supers int)
TEXT ·unpackQ4K(SB), NOSPLIT, $16-40
	MOVQ w+0(FP), SI
	MOVQ scales+8(FP), R9
	MOVQ minima+16(FP), R12
	MOVQ src+24(FP), DI
	MOVQ supers+32(FP), CX
	VPBROADCASTB nibble<>(SB), Y5
	VMOVDQU first<>(SB), Y14
	VMOVDQU second<>(SB), Y15
super:
	SCALES4K
	VMOVUPS Y2, (R12)
	VPBROADCASTW (DI), X1
	VCVTPH2PS X1, X1
	VMOVSS X1, (R9)
	UNPACK4K(16, 0)
	UNPACK4K(48, 4)
	UNPACK4K(80, 8)
	UNPACK4K(112, 12)
	ADDQ $4, R9
	ADDQ $32, R12
	ADDQ $144, DI
	DECQ CX
	JNZ  super
	VZEROUPPER
	RET

#define UNPACKPART6(q, h, at) \
	SIX(q, h); \
	SCALE6(at, Y10); \
	VPSHUFB Y14, q, Y12; \
	VPSHUFB Y15, q, Y13; \
	VPSUBW Y9, Y12, Y12; \
	VPSUBW Y9, Y13, Y13; \
	VPMULLW Y10, Y12, Y12; \
	VPMULLW Y10, Y13, Y13; \
	VMOVDQU Y12, (SI); \
	VMOVDQU Y13, 32(SI); \
	ADDQ $64, SI

#define UNPACKHALF6K(ql, qh, at) \
	VMOVDQU qh(DI), Y8; \
	VMOVDQU ql(DI), Y3; \
	VPSRLW $4, Y3, Y11; \
	VPSLLW $4, Y8, Y4; \
	UNPACKPART6(Y3, Y4, at); \
	VMOVDQU ql+32(DI), Y3; \
	VPSRLW $4, Y3, Y2; \
	VPSLLW $2, Y8, Y4; \
	UNPACKPART6(Y3, Y4, at+4); \
	VMOVDQA Y8, Y4; \
	UNPACKPART6(Y11, Y4, at+8); \
	VPSRLW $2, Y8, Y4; \
	UNPACKPART6(Y2, Y4, at+12)

// func unpackQ6K(w *int16, scales *float32, src *byte, supers int)
TEXT ·unpackQ6K(SB), NOSPLIT, $32-32
	MOVQ w+0(FP), SI
	MOVQ scales+8(FP), R9
	MOVQ src+16(FP), DI
	MOVQ supers+24(FP), CX
	VPBROADCASTB nibble<>(SB), Y5
	VPBROADCASTB high<>(SB), Y6
	VMOVDQU halves<>(SB), Y7
	VPBROADCASTW half<>(SB), Y9
	VMOVDQU first<>(SB), Y14
	VMOVDQU second<>(SB), Y15
	LEAQ 0(SP), BX
super:
	VPMOVSXBW 192(DI), Y1
	VMOVDQU Y1, 0(SP)
	VPBROADCASTW 208(DI), X1
	VCVTPH2PS X1, X1
	VMOVSS X1, (R9)
	UNPACKHALF6K(0, 128, 0)
	UNPACKHALF6K(64, 160, 16)
	ADDQ $4, R9
	ADDQ $210, DI
	DECQ CX
	JNZ  super
	VZEROUPPER
	RET

DATA nibble<>+0(SB)/1, $15
GLOBL nibble<>(SB), RODATA|NOPTR, $1
DATA high<>+0(SB)/1, $48
GLOBL high<>(SB), RODATA|NOPTR, $1
DATA half<>+0(SB)/2, $32
GLOBL half<>(SB), RODATA|NOPTR, $2

// The first word of a pair in the lower half, the second in the upper.
DATA halves<>+0(SB)/8, $0x0100010001000100
DATA halves<>+8(SB)/8, $0x0100010001000100
DATA halves<>+16(SB)/8, $0x0302030203020302
DATA halves<>+24(SB)/8, $0x0302030203020302
GLOBL halves<>(SB), RODATA|NOPTR, $32

// Of each four bytes, as words: the first two, and the last two.
DATA first<>+0(SB)/8, $0x8005800480018000
DATA first<>+8(SB)/8, $0x800d800c80098008
DATA first<>+16(SB)/8, $0x8005800480018000
DATA first<>+24(SB)/8, $0x800d800c80098008
GLOBL first<>(SB), RODATA|NOPTR, $32
DATA second<>+0(SB)/8, $0x8007800680038002
DATA second<>+8(SB)/8, $0x800f800e800b800a
DATA second<>+16(SB)/8, $0x8007800680038002
DATA second<>+24(SB)/8, $0x800f800e800b800a
GLOBL second<>(SB), RODATA|NOPTR, $32
