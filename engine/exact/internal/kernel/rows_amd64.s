//go:build amd64 && !purego

#include "textflag.h"

// The products of quantised rows with one vector. AX and up are scratch; Y0 holds
// the eight lanes of a row. Nothing here fuses a product with an addition.

// tree adds the lanes of Y0 in their fixed order and leaves the sum in X0.
#define TREE(y, x, t) \
	VHADDPS y, y, y; \
	VHADDPS y, y, y; \
	VEXTRACTF128 $1, y, t; \
	VADDSS t, x, x

// DOT multiplies the words in Y3 and Y4 with those at SI, scales by Y1 and adds to Y0.
#define DOT \
	VPMADDWD (SI), Y3, Y3; \
	VPMADDWD 32(SI), Y4, Y4; \
	VPADDD Y4, Y3, Y3; \
	VCVTDQ2PS Y3, Y3; \
	VMULPS Y1, Y3, Y3; \
	VADDPS Y3, Y0, Y0; \
	ADDQ $64, SI

// SCALE sets Y1 to the half at w times the float at R9.
#define SCALE(w) \
	VPBROADCASTW w, X1; \
	VCVTPH2PS X1, Y1; \
	VBROADCASTSS (R9), Y2; \
	VMULPS Y2, Y1, Y1; \
	ADDQ $4, R9

// ROWS loads the arguments that all row kernels have.
#define ROWS \
	MOVQ y+0(FP), R8; \
	MOVQ w+8(FP), DI; \
	MOVQ x+16(FP), R10; \
	MOVQ xs+24(FP), R11; \
	MOVQ sums+32(FP), R12; \
	MOVQ rows+48(FP), R13

// func rowsQ80(y *float32, w *byte, x *int16, xs, sums *float32, blocks, rows int)
TEXT ·rowsQ80(SB), NOSPLIT, $0-56
	ROWS
row:
	MOVQ blocks+40(FP), CX
	MOVQ R10, SI
	MOVQ R11, R9
	VXORPS Y0, Y0, Y0
block:
	SCALE((DI))
	VPMOVSXBW 2(DI), Y3
	VPMOVSXBW 18(DI), Y4
	DOT
	ADDQ $34, DI
	DECQ CX
	JNZ  block
	TREE(Y0, X0, X3)
	VMOVSS X0, (R8)
	ADDQ $4, R8
	DECQ R13
	JNZ  row
	VZEROUPPER
	RET

// func rowsQ40(y *float32, w *byte, x *int16, xs, sums *float32, blocks, rows int)
TEXT ·rowsQ40(SB), NOSPLIT, $0-56
	ROWS
	VPBROADCASTW low<>(SB), Y5
	VPBROADCASTW eight<>(SB), Y6
row:
	MOVQ blocks+40(FP), CX
	MOVQ R10, SI
	MOVQ R11, R9
	VXORPS Y0, Y0, Y0
block:
	SCALE((DI))
	VPMOVZXBW 2(DI), Y4
	VPAND  Y5, Y4, Y3
	VPSRLW $4, Y4, Y4
	VPSUBW Y6, Y3, Y3
	VPSUBW Y6, Y4, Y4
	DOT
	ADDQ $18, DI
	DECQ CX
	JNZ  block
	TREE(Y0, X0, X3)
	VMOVSS X0, (R8)
	ADDQ $4, R8
	DECQ R13
	JNZ  row
	VZEROUPPER
	RET

// SCALES4K takes the twelve bytes at 4(DI) apart: the eight scales go to Y1 and the
// eight minima to Y2, each times its half.
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
	VPMOVZXBD X1, Y1; \
	VCVTDQ2PS Y1, Y1; \
	VMOVQ BX, X2; \
	VPMOVZXBD X2, Y2; \
	VCVTDQ2PS Y2, Y2; \
	VPBROADCASTW (DI), X3; \
	VCVTPH2PS X3, Y3; \
	VMULPS Y3, Y1, Y1; \
	VPBROADCASTW 2(DI), X4; \
	VCVTPH2PS X4, Y4; \
	VMULPS Y4, Y2, Y2

// PAIR4K is two blocks: the low and the high halves of the bytes at off(DI).
#define PAIR4K(off, at) \
	VPMOVZXBW off(DI), Y7; \
	VPMOVZXBW off+16(DI), Y8; \
	VPAND Y5, Y7, Y3; \
	VPAND Y5, Y8, Y4; \
	VBROADCASTSS at(SP), Y1; \
	DOT; \
	VPSRLW $4, Y7, Y3; \
	VPSRLW $4, Y8, Y4; \
	VBROADCASTSS at+4(SP), Y1; \
	DOT

// func rowsQ4K(y *float32, w *byte, x *int16, xs, sums *float32, blocks, rows int)
TEXT ·rowsQ4K(SB), NOSPLIT, $32-56
	ROWS
	VPBROADCASTW low<>(SB), Y5
row:
	MOVQ blocks+40(FP), CX
	MOVQ R10, SI
	MOVQ R11, R9
	VXORPS Y0, Y0, Y0
	VXORPS Y6, Y6, Y6
block:
	SCALES4K
	VMULPS (R9), Y1, Y1
	VMOVUPS Y1, 0(SP)
	VMULPS (R12), Y2, Y2
	VADDPS Y2, Y6, Y6
	ADDQ $32, R9
	ADDQ $32, R12
	PAIR4K(16, 0)
	PAIR4K(48, 8)
	PAIR4K(80, 16)
	PAIR4K(112, 24)
	ADDQ $144, DI
	SUBQ $8, CX
	JNZ  block
	TREE(Y0, X0, X3)
	TREE(Y6, X6, X3)
	VSUBSS X6, X0, X0
	VMOVSS X0, (R8)
	ADDQ $4, R8
	MOVQ sums+32(FP), R12
	DECQ R13
	JNZ  row
	VZEROUPPER
	RET

// Q6 sets Y3 and Y4 to the 32 weights of a block, times their scales: the low bits
// are in Y9 and Y10, the high bits, at their place, in Y3 and Y4; the scales are at
// at(BX).
#define Q6(at) \
	VPAND Y6, Y3, Y3; \
	VPAND Y6, Y4, Y4; \
	VPOR  Y9, Y3, Y3; \
	VPOR  Y10, Y4, Y4; \
	VPSUBW Y7, Y3, Y3; \
	VPSUBW Y7, Y4, Y4; \
	VPBROADCASTW at(BX), Y9; \
	VPBROADCASTW at+2(BX), Y10; \
	VPMULLW Y9, Y3, Y3; \
	VPMULLW Y10, Y4, Y4

// HALF6K is four blocks: ql, qh and the scales say where their parts are. END is
// what becomes of a block.
#define HALF6K(ql, qh, at, END) \
	VPMOVZXBW qh(DI), Y11; \
	VPMOVZXBW qh+16(DI), Y12; \
	VPMOVZXBW ql(DI), Y13; \
	VPMOVZXBW ql+16(DI), Y14; \
	VPAND Y5, Y13, Y9; \
	VPAND Y5, Y14, Y10; \
	VPSLLW $4, Y11, Y3; \
	VPSLLW $4, Y12, Y4; \
	Q6(at); \
	END; \
	VPMOVZXBW ql+32(DI), Y15; \
	VPMOVZXBW ql+48(DI), Y8; \
	VPAND Y5, Y15, Y9; \
	VPAND Y5, Y8, Y10; \
	VPSLLW $2, Y11, Y3; \
	VPSLLW $2, Y12, Y4; \
	Q6(at+4); \
	END; \
	VPSRLW $4, Y13, Y9; \
	VPSRLW $4, Y14, Y10; \
	VMOVDQA Y11, Y3; \
	VMOVDQA Y12, Y4; \
	Q6(at+8); \
	END; \
	VPSRLW $4, Y15, Y9; \
	VPSRLW $4, Y8, Y10; \
	VPSRLW $2, Y11, Y3; \
	VPSRLW $2, Y12, Y4; \
	Q6(at+12); \
	END

// END6 multiplies a block of Q6_K, whose one scale is on the stack.
#define END6 \
	VBROADCASTSS (R9), Y1; \
	VBROADCASTSS 32(SP), Y2; \
	VMULPS Y2, Y1, Y1; \
	ADDQ $4, R9; \
	DOT

// HEAD6 puts the sixteen scales on the stack and the half in X1.
#define HEAD6 \
	VPMOVSXBW 192(DI), Y1; \
	VMOVDQU Y1, 0(SP); \
	VPBROADCASTW 208(DI), X1; \
	VCVTPH2PS X1, X1

// func rowsQ6K(y *float32, w *byte, x *int16, xs, sums *float32, blocks, rows int)
TEXT ·rowsQ6K(SB), NOSPLIT, $40-56
	ROWS
	VPBROADCASTW low<>(SB), Y5
	VPBROADCASTW high<>(SB), Y6
	VPBROADCASTW half<>(SB), Y7
	LEAQ 0(SP), BX
row:
	MOVQ blocks+40(FP), CX
	MOVQ R10, SI
	MOVQ R11, R9
	VXORPS Y0, Y0, Y0
block:
	HEAD6
	VMOVSS X1, 32(SP)
	HALF6K(0, 128, 0, END6)
	HALF6K(64, 160, 16, END6)
	ADDQ $210, DI
	SUBQ $8, CX
	JNZ  block
	TREE(Y0, X0, X3)
	VMOVSS X0, (R8)
	ADDQ $4, R8
	DECQ R13
	JNZ  row
	VZEROUPPER
	RET

// What follows takes one row apart, into words and a scale for each block, for
// products with many vectors.

// PUT stores the words in Y3 and Y4.
#define PUT \
	VMOVDQU Y3, (SI); \
	VMOVDQU Y4, 32(SI); \
	ADDQ $64, SI

// func unpackQ80(w *int16, scales *float32, src *byte, blocks int)
TEXT ·unpackQ80(SB), NOSPLIT, $0-32
	MOVQ w+0(FP), SI
	MOVQ scales+8(FP), R9
	MOVQ src+16(FP), DI
	MOVQ blocks+24(FP), CX
block:
	VPBROADCASTW (DI), X1
	VCVTPH2PS X1, X1
	VMOVSS X1, (R9)
	VPMOVSXBW 2(DI), Y3
	VPMOVSXBW 18(DI), Y4
	PUT
	ADDQ $4, R9
	ADDQ $34, DI
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET

// func unpackQ40(w *int16, scales *float32, src *byte, blocks int)
TEXT ·unpackQ40(SB), NOSPLIT, $0-32
	MOVQ w+0(FP), SI
	MOVQ scales+8(FP), R9
	MOVQ src+16(FP), DI
	MOVQ blocks+24(FP), CX
	VPBROADCASTW low<>(SB), Y5
	VPBROADCASTW eight<>(SB), Y6
block:
	VPBROADCASTW (DI), X1
	VCVTPH2PS X1, X1
	VMOVSS X1, (R9)
	VPMOVZXBW 2(DI), Y4
	VPAND  Y5, Y4, Y3
	VPSRLW $4, Y4, Y4
	VPSUBW Y6, Y3, Y3
	VPSUBW Y6, Y4, Y4
	PUT
	ADDQ $4, R9
	ADDQ $18, DI
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET

#define UNPACK4K(off) \
	VPMOVZXBW off(DI), Y7; \
	VPMOVZXBW off+16(DI), Y8; \
	VPAND Y5, Y7, Y3; \
	VPAND Y5, Y8, Y4; \
	PUT; \
	VPSRLW $4, Y7, Y3; \
	VPSRLW $4, Y8, Y4; \
	PUT

// func unpackQ4K(w *int16, scales, minima *float32, src *byte, blocks int)
TEXT ·unpackQ4K(SB), NOSPLIT, $0-40
	MOVQ w+0(FP), SI
	MOVQ scales+8(FP), R9
	MOVQ minima+16(FP), R12
	MOVQ src+24(FP), DI
	MOVQ blocks+32(FP), CX
	VPBROADCASTW low<>(SB), Y5
block:
	SCALES4K
	VMOVUPS Y1, (R9)
	VMOVUPS Y2, (R12)
	ADDQ $32, R9
	ADDQ $32, R12
	UNPACK4K(16)
	UNPACK4K(48)
	UNPACK4K(80)
	UNPACK4K(112)
	ADDQ $144, DI
	SUBQ $8, CX
	JNZ  block
	VZEROUPPER
	RET

// func unpackQ6K(w *int16, scales *float32, src *byte, blocks int)
TEXT ·unpackQ6K(SB), NOSPLIT, $32-32
	MOVQ w+0(FP), SI
	MOVQ scales+8(FP), R9
	MOVQ src+16(FP), DI
	MOVQ blocks+24(FP), CX
	VPBROADCASTW low<>(SB), Y5
	VPBROADCASTW high<>(SB), Y6
	VPBROADCASTW half<>(SB), Y7
	LEAQ 0(SP), BX
block:
	HEAD6
	VBROADCASTSS X1, Y1
	VMOVUPS Y1, (R9)
	ADDQ $32, R9
	HALF6K(0, 128, 0, PUT)
	HALF6K(64, 160, 16, PUT)
	ADDQ $210, DI
	SUBQ $8, CX
	JNZ  block
	VZEROUPPER
	RET

DATA low<>+0(SB)/2, $15
GLOBL low<>(SB), RODATA|NOPTR, $2
DATA eight<>+0(SB)/2, $8
GLOBL eight<>(SB), RODATA|NOPTR, $2
DATA high<>+0(SB)/2, $48
GLOBL high<>(SB), RODATA|NOPTR, $2
DATA half<>+0(SB)/2, $32
GLOBL half<>(SB), RODATA|NOPTR, $2
