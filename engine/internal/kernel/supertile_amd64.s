//go:build amd64 && !purego

#include "textflag.h"
#include "tree_amd64.h"

// The products of four rows with two vectors: integers in Y0 to Y7, row by row, and
// the lanes of the results on the stack.

#define ADDINT(w, x, acc) \
	VPMADDWD w, x, Y14; \
	VPADDD Y14, acc, acc

#define ADDVNNI(w, x, acc) VPDPWSSD w, x, acc

#define ROW(w, w2, acc0, acc1, ADD) \
	VMOVDQU w, Y12; \
	VMOVDQU w2, Y13; \
	ADD(Y12, Y8, acc0); \
	ADD(Y13, Y9, acc0); \
	ADD(Y12, Y10, acc1); \
	ADD(Y13, Y11, acc1)

#define BLOCKS(ADD) \
	VMOVDQU (DX), Y8; \
	VMOVDQU 32(DX), Y9; \
	VMOVDQU (DX)(R10*1), Y10; \
	VMOVDQU 32(DX)(R10*1), Y11; \
	ROW((SI), 32(SI), Y0, Y1, ADD); \
	ROW((SI)(R10*1), 32(SI)(R10*1), Y2, Y3, ADD); \
	ROW((SI)(R10*2), 32(SI)(R10*2), Y4, Y5, ADD); \
	ROW((SI)(BX*1), 32(SI)(BX*1), Y6, Y7, ADD); \
	ADDQ $64, SI; \
	ADDQ $64, DX

// FLUSH adds the integers of a row, times its scale, to the results at off(SP).
#define FLUSH(ws, acc0, acc1, off) \
	VBROADCASTSS ws, Y10; \
	VMULPS Y8, Y10, Y11; \
	VCVTDQ2PS acc0, Y12; \
	VMULPS Y11, Y12, Y12; \
	VADDPS off(SP), Y12, Y12; \
	VMOVUPS Y12, off(SP); \
	VMULPS Y9, Y10, Y11; \
	VCVTDQ2PS acc1, Y12; \
	VMULPS Y11, Y12, Y12; \
	VADDPS off+32(SP), Y12, Y12; \
	VMOVUPS Y12, off+32(SP); \
	VPXOR acc0, acc0, acc0; \
	VPXOR acc1, acc1, acc1

#define FLUSHALL \
	VBROADCASTSS (R9), Y8; \
	VBROADCASTSS (R9)(R11*1), Y9; \
	FLUSH((R8), Y0, Y1, 0); \
	FLUSH((R8)(R11*1), Y2, Y3, 64); \
	FLUSH((R8)(R11*2), Y4, Y5, 128); \
	FLUSH((R8)(R12*1), Y6, Y7, 192); \
	ADDQ $4, R8; \
	ADDQ $4, R9

#define SUPERHEAD \
	MOVQ w+8(FP), SI; \
	MOVQ ws+16(FP), R8; \
	MOVQ x+24(FP), DX; \
	MOVQ xs+32(FP), R9; \
	MOVQ supers+40(FP), CX; \
	MOVQ CX, R10; \
	SHLQ $9, R10; \
	LEAQ (R10)(R10*2), BX; \
	MOVQ CX, R11; \
	SHLQ $2, R11; \
	LEAQ (R11)(R11*2), R12; \
	VPXOR Y0, Y0, Y0; \
	VMOVDQU Y0, 0(SP); \
	VMOVDQU Y0, 32(SP); \
	VMOVDQU Y0, 64(SP); \
	VMOVDQU Y0, 96(SP); \
	VMOVDQU Y0, 128(SP); \
	VMOVDQU Y0, 160(SP); \
	VMOVDQU Y0, 192(SP); \
	VMOVDQU Y0, 224(SP); \
	VPXOR Y1, Y1, Y1; \
	VPXOR Y2, Y2, Y2; \
	VPXOR Y3, Y3, Y3; \
	VPXOR Y4, Y4, Y4; \
	VPXOR Y5, Y5, Y5; \
	VPXOR Y6, Y6, Y6; \
	VPXOR Y7, Y7, Y7

#define RESULT(off, to) \
	VMOVUPS off(SP), Y0; \
	TREE(Y0, X0, X1); \
	VMOVSS X0, to(DI)

#define SUPEREND \
	MOVQ out+0(FP), DI; \
	RESULT(0, 0); \
	RESULT(32, 4); \
	RESULT(64, 8); \
	RESULT(96, 12); \
	RESULT(128, 16); \
	RESULT(160, 20); \
	RESULT(192, 24); \
	RESULT(224, 28); \
	VZEROUPPER

// func tileSupers(out *[8]float32, w *int16, ws *float32, x *int16, xs *float32, supers int)
TEXT ·tileSupers(SB), NOSPLIT, $256-48
	SUPERHEAD
super:
	MOVQ $8, R13
block:
	BLOCKS(ADDINT)
	DECQ R13
	JNZ  block
	FLUSHALL
	DECQ CX
	JNZ  super
	SUPEREND
	RET

// func tileSupersVNNI(out *[8]float32, w *int16, ws *float32, x *int16, xs *float32, supers int)
TEXT ·tileSupersVNNI(SB), NOSPLIT, $256-48
	SUPERHEAD
super:
	MOVQ $8, R13
block:
	BLOCKS(ADDVNNI)
	DECQ R13
	JNZ  block
	FLUSHALL
	DECQ CX
	JNZ  super
	SUPEREND
	RET
