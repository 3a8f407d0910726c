//go:build amd64 && !purego

#include "textflag.h"
#include "tree_amd64.h"

// Products of four rows with two vectors. Y0 to Y7 hold the lanes of the eight
// results, row by row.

#define ENDTILE \
	TREETO(Y0, X0, X15, 0(DI)); \
	TREETO(Y1, X1, X15, 4(DI)); \
	TREETO(Y2, X2, X15, 8(DI)); \
	TREETO(Y3, X3, X15, 12(DI)); \
	TREETO(Y4, X4, X15, 16(DI)); \
	TREETO(Y5, X5, X15, 20(DI)); \
	TREETO(Y6, X6, X15, 24(DI)); \
	TREETO(Y7, X7, X15, 28(DI)); \
	VZEROUPPER

#define ZERO \
	VXORPS Y0, Y0, Y0; \
	VXORPS Y1, Y1, Y1; \
	VXORPS Y2, Y2, Y2; \
	VXORPS Y3, Y3, Y3; \
	VXORPS Y4, Y4, Y4; \
	VXORPS Y5, Y5, Y5; \
	VXORPS Y6, Y6, Y6; \
	VXORPS Y7, Y7, Y7

// FOUR is the loop over the columns of four rows that are R10 bytes apart, with one
// vector. LOAD widens eight weights at an address.
// The next four rows lie behind them, and their memory is asked for as these go by.
#define FOUR(step, LOAD) \
	PREFETCHT1 (AX); \
	ADDQ $(4*step), AX; \
	VMOVUPS (DX), Y8; \
	LOAD((SI), Y4); \
	LOAD((SI)(R10*1), Y5); \
	LOAD((SI)(R10*2), Y6); \
	LOAD((SI)(BX*1), Y7); \
	VMULPS Y4, Y8, Y4; \
	VMULPS Y5, Y8, Y5; \
	VMULPS Y6, Y8, Y6; \
	VMULPS Y7, Y8, Y7; \
	VADDPS Y4, Y0, Y0; \
	VADDPS Y5, Y1, Y1; \
	VADDPS Y6, Y2, Y2; \
	VADDPS Y7, Y3, Y3; \
	ADDQ $step, SI; \
	ADDQ $32, DX

#define LOADF32(at, y) VMOVUPS at, y
#define LOADF16(at, y) VCVTPH2PS at, y
#define LOADBF16(at, y) \
	VPMOVZXWD at, y; \
	VPSLLD $16, y, y

#define FOURHEAD \
	MOVQ out+0(FP), DI; \
	MOVQ w+8(FP), SI; \
	MOVQ x+16(FP), DX; \
	MOVQ wstep+24(FP), R10; \
	MOVQ eights+32(FP), CX; \
	LEAQ (R10)(R10*2), BX; \
	LEAQ (SI)(R10*4), AX; \
	VXORPS Y0, Y0, Y0; \
	VXORPS Y1, Y1, Y1; \
	VXORPS Y2, Y2, Y2; \
	VXORPS Y3, Y3, Y3

#define FOUREND \
	TREETO(Y0, X0, X15, 0(DI)); \
	TREETO(Y1, X1, X15, 4(DI)); \
	TREETO(Y2, X2, X15, 8(DI)); \
	TREETO(Y3, X3, X15, 12(DI)); \
	VZEROUPPER

// BLOCK multiplies a block of a row with both vectors: the row's words are at w and
// w2, the products of the scales at at(AX) and 32 bytes on.
#define BLOCK(w, w2, at, acc0, acc1) \
	VMOVDQU w, Y12; \
	VMOVDQU w2, Y13; \
	VPMADDWD Y12, Y8, Y14; \
	VPMADDWD Y13, Y9, Y15; \
	VPADDD Y15, Y14, Y14; \
	VCVTDQ2PS Y14, Y14; \
	VBROADCASTSS at(AX), Y15; \
	VMULPS Y15, Y14, Y14; \
	VADDPS Y14, acc0, acc0; \
	VPMADDWD Y12, Y10, Y14; \
	VPMADDWD Y13, Y11, Y15; \
	VPADDD Y15, Y14, Y14; \
	VCVTDQ2PS Y14, Y14; \
	VBROADCASTSS at+32(AX), Y15; \
	VMULPS Y15, Y14, Y14; \
	VADDPS Y14, acc1, acc1

// func tileWords(out *[8]float32, w *int16, ws *float32, x *int16, xs *float32, groups int)
TEXT ·tileWords(SB), NOSPLIT, $256-48
	MOVQ out+0(FP), DI
	MOVQ w+8(FP), SI
	MOVQ ws+16(FP), R8
	MOVQ x+24(FP), DX
	MOVQ xs+32(FP), R9
	MOVQ groups+40(FP), CX
	MOVQ CX, R10
	SHLQ $9, R10            // bytes from one row's words to the next
	LEAQ (R10)(R10*2), BX
	MOVQ CX, R11
	SHLQ $5, R11            // and from its scales
	LEAQ (R11)(R11*2), R12
	ZERO
group:
	VMOVUPS (R9), Y12
	VMOVUPS (R9)(R11*1), Y13
	VMULPS (R8), Y12, Y14
	VMOVUPS Y14, 0(SP)
	VMULPS (R8), Y13, Y14
	VMOVUPS Y14, 32(SP)
	VMULPS (R8)(R11*1), Y12, Y14
	VMOVUPS Y14, 64(SP)
	VMULPS (R8)(R11*1), Y13, Y14
	VMOVUPS Y14, 96(SP)
	VMULPS (R8)(R11*2), Y12, Y14
	VMOVUPS Y14, 128(SP)
	VMULPS (R8)(R11*2), Y13, Y14
	VMOVUPS Y14, 160(SP)
	VMULPS (R8)(R12*1), Y12, Y14
	VMOVUPS Y14, 192(SP)
	VMULPS (R8)(R12*1), Y13, Y14
	VMOVUPS Y14, 224(SP)
	LEAQ 0(SP), AX
	MOVQ $8, R13
block:
	VMOVDQU (DX), Y8
	VMOVDQU 32(DX), Y9
	VMOVDQU (DX)(R10*1), Y10
	VMOVDQU 32(DX)(R10*1), Y11
	BLOCK((SI), 32(SI), 0, Y0, Y1)
	BLOCK((SI)(R10*1), 32(SI)(R10*1), 64, Y2, Y3)
	BLOCK((SI)(R10*2), 32(SI)(R10*2), 128, Y4, Y5)
	BLOCK((SI)(BX*1), 32(SI)(BX*1), 192, Y6, Y7)
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $4, AX
	DECQ R13
	JNZ  block
	ADDQ $32, R8
	ADDQ $32, R9
	DECQ CX
	JNZ  group
	ENDTILE
	RET

#define FLOATS(w, acc0, acc1) \
	VMOVUPS w, Y10; \
	VMULPS Y10, Y8, Y11; \
	VADDPS Y11, acc0, acc0; \
	VMULPS Y10, Y9, Y12; \
	VADDPS Y12, acc1, acc1

// func tileFloats(out *[8]float32, w, x *float32, wstep, xstep, eights int)
TEXT ·tileFloats(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ w+8(FP), SI
	MOVQ x+16(FP), DX
	MOVQ wstep+24(FP), R10
	MOVQ xstep+32(FP), R11
	MOVQ eights+40(FP), CX
	LEAQ (R10)(R10*2), BX
	ZERO
eight:
	VMOVUPS (DX), Y8
	VMOVUPS (DX)(R11*1), Y9
	FLOATS((SI), Y0, Y1)
	FLOATS((SI)(R10*1), Y2, Y3)
	FLOATS((SI)(R10*2), Y4, Y5)
	FLOATS((SI)(BX*1), Y6, Y7)
	ADDQ $32, SI
	ADDQ $32, DX
	DECQ CX
	JNZ  eight
	ENDTILE
	RET

// func widenF32(out *float32, in *byte, eights int)
TEXT ·widenF32(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ in+8(FP), SI
	MOVQ eights+16(FP), CX
eight:
	VMOVUPS (SI), Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  eight
	VZEROUPPER
	RET

// func widenF16(out *float32, in *byte, eights int)
TEXT ·widenF16(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ in+8(FP), SI
	MOVQ eights+16(FP), CX
eight:
	VCVTPH2PS (SI), Y0
	VMOVUPS Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  eight
	VZEROUPPER
	RET

// func widenBF16(out *float32, in *byte, eights int)
TEXT ·widenBF16(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ in+8(FP), SI
	MOVQ eights+16(FP), CX
eight:
	VPMOVZXWD (SI), Y0
	VPSLLD $16, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  eight
	VZEROUPPER
	RET

// func fourF32(out *float32, w *byte, x *float32, wstep, eights int)
TEXT ·fourF32(SB), NOSPLIT, $0-40
	FOURHEAD
eight:
	FOUR(32, LOADF32)
	DECQ CX
	JNZ  eight
	FOUREND
	RET

// func fourF16(out *float32, w *byte, x *float32, wstep, eights int)
TEXT ·fourF16(SB), NOSPLIT, $0-40
	FOURHEAD
eight:
	FOUR(16, LOADF16)
	DECQ CX
	JNZ  eight
	FOUREND
	RET

// func fourBF16(out *float32, w *byte, x *float32, wstep, eights int)
TEXT ·fourBF16(SB), NOSPLIT, $0-40
	FOURHEAD
eight:
	FOUR(16, LOADBF16)
	DECQ CX
	JNZ  eight
	FOUREND
	RET
