//go:build amd64 && !purego

#include "textflag.h"
#include "tree_amd64.h"

// The products of quantised rows with one vector. AX and up are scratch; Y0 holds
// the eight lanes of a row. Nothing here fuses a product with an addition.

// tree adds the lanes of Y0 in their fixed order and leaves the sum in X0.
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

// TWO adds the lanes of a block, as words in x, times the scale in y, to Y0.
#define TWO(x, xy, y) \
	VPMOVSXWD x, xy; \
	VCVTDQ2PS xy, xy; \
	VMULPS y, xy, xy; \
	VADDPS xy, Y0, Y0

// func rowsQ40Pairs(y *float32, w *byte, x *int8, eights *int16, xs *float32, pairs, rows int)
//
// Two blocks at a time, as bytes.
TEXT ·rowsQ40Pairs(SB), NOSPLIT, $0-56
	MOVQ y+0(FP), R8
	MOVQ w+8(FP), DI
	MOVQ rows+48(FP), R13
	VPBROADCASTB low<>(SB), Y5
row:
	MOVQ x+16(FP), SI
	MOVQ eights+24(FP), R10
	MOVQ xs+32(FP), R9
	MOVQ pairs+40(FP), CX
	VXORPS Y0, Y0, Y0
pair:
	MOVWLZX 18(DI), AX
	MOVWLZX (DI), BX
	SHLL $16, AX
	ORL  AX, BX
	VMOVD BX, X1
	VCVTPH2PS X1, X1
	VMOVQ (R9), X2
	VMULPS X2, X1, X1
	VMOVSHDUP X1, X2
	VBROADCASTSS X1, Y1
	VBROADCASTSS X2, Y2
	VMOVDQU 2(DI), X3
	VINSERTI128 $1, 20(DI), Y3, Y3
	VPSRLW $4, Y3, Y4
	VPAND Y5, Y3, Y3
	VPAND Y5, Y4, Y4
	VPMADDUBSW (SI), Y3, Y3
	VPMADDUBSW 32(SI), Y4, Y4
	VPADDW Y4, Y3, Y3
	VPSUBW (R10), Y3, Y3
	VEXTRACTI128 $1, Y3, X4
	TWO(X3, Y3, Y1)
	TWO(X4, Y4, Y2)
	ADDQ $36, DI
	ADDQ $64, SI
	ADDQ $32, R10
	ADDQ $8, R9
	DECQ CX
	JNZ  pair
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

DATA low<>+0(SB)/2, $15
GLOBL low<>(SB), RODATA|NOPTR, $2
DATA eight<>+0(SB)/2, $8
GLOBL eight<>(SB), RODATA|NOPTR, $2
