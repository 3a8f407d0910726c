//go:build amd64 && !purego

#include "textflag.h"
#include "tree_amd64.h"

// Q4_0 for processors that multiply bytes and add four products to a sum at once. A
// block's bytes lie in the order of its lanes: lane l has the values 2l, 2l+1, 16+2l
// and 17+2l. A weight counts from 0 to 15 there; a lane's sum begins with eight times
// its values, taken away.

// NIBBLES sets y to the weights of the block at w.
#define NIBBLES(w, y, t) \
	VPMOVZXWD w, y; \
	VPSLLD $12, y, t; \
	VPTERNLOGD $0xa8, Y5, t, y // (y or t) and 15

// LANES adds block k of the row at w, whose scale is at at(SP), to acc.
#define LANES(k, w, at, acc) \
	NIBBLES(2+18*k(w), Y3, Y4); \
	VMOVDQU 32*k(R10), Y6; \
	VPDPBUSD 32*k(SI), Y3, Y6; \
	VCVTDQ2PS Y6, Y6; \
	VMULPS.BCST at(SP), Y6, Y6; \
	VADDPS Y6, acc, acc

// SCALES8 writes the scales of eight blocks at w, times those at R9, to at(SP).
#define SCALES8(w, at) \
	MOVWLZX 54(w), AX; \
	SHLQ $16, AX; \
	MOVW 36(w), AX; \
	SHLQ $16, AX; \
	MOVW 18(w), AX; \
	SHLQ $16, AX; \
	MOVW (w), AX; \
	VMOVQ AX, X1; \
	MOVWLZX 126(w), BX; \
	SHLQ $16, BX; \
	MOVW 108(w), BX; \
	SHLQ $16, BX; \
	MOVW 90(w), BX; \
	SHLQ $16, BX; \
	MOVW 72(w), BX; \
	VMOVQ BX, X2; \
	VPUNPCKLQDQ X2, X1, X1; \
	VCVTPH2PS X1, Y1; \
	VMULPS (R9), Y1, Y1; \
	VMOVUPS Y1, at(SP)

// FETCH asks for what lies eight rows behind w.
#define FETCH(w) \
	PREFETCHT1 (w)(R12*8); \
	PREFETCHT1 64(w)(R12*8); \
	PREFETCHT1 128(w)(R12*8)

#define BOTH(k) \
	LANES(k, DI, 4*k, Y0); \
	LANES(k, DX, 32+4*k, Y7)

#define NEXT \
	ADDQ $256, SI; \
	ADDQ $256, R10; \
	ADDQ $32, R9

// func rowsQ40VNNI(y *float32, w *byte, x *int8, eights *int32, xs *float32, groups, rows int)
//
// Eight blocks and two rows at a time: one row's sums would wait for each other.
TEXT ·rowsQ40VNNI(SB), NOSPLIT, $64-56
	MOVQ y+0(FP), R8
	MOVQ w+8(FP), DI
	MOVQ rows+48(FP), R13
	MOVQ groups+40(FP), R12
	LEAQ (R12)(R12*8), R12
	SHLQ $4, R12            // bytes of a row
	MOVL $0x0f0f0f0f, AX
	VPBROADCASTD AX, Y5
	SUBQ $2, R13
	JLT  last
rows:
	MOVQ x+16(FP), SI
	MOVQ eights+24(FP), R10
	MOVQ xs+32(FP), R9
	MOVQ groups+40(FP), CX
	LEAQ (DI)(R12*1), DX
	VXORPS Y0, Y0, Y0
	VXORPS Y7, Y7, Y7
groups:
	FETCH(DI)
	FETCH(DX)
	SCALES8(DI, 0)
	SCALES8(DX, 32)
	BOTH(0)
	BOTH(1)
	BOTH(2)
	BOTH(3)
	BOTH(4)
	BOTH(5)
	BOTH(6)
	BOTH(7)
	ADDQ $144, DI
	ADDQ $144, DX
	NEXT
	DECQ CX
	JNZ  groups
	TREETO(Y0, X0, X3, 0(R8))
	TREETO(Y7, X7, X3, 4(R8))
	MOVQ DX, DI
	ADDQ $8, R8
	SUBQ $2, R13
	JGE  rows
last:
	ADDQ $2, R13
	JZ   done
	MOVQ x+16(FP), SI
	MOVQ eights+24(FP), R10
	MOVQ xs+32(FP), R9
	MOVQ groups+40(FP), CX
	VXORPS Y0, Y0, Y0
one:
	SCALES8(DI, 0)
	LANES(0, DI, 0, Y0)
	LANES(1, DI, 4, Y0)
	LANES(2, DI, 8, Y0)
	LANES(3, DI, 12, Y0)
	LANES(4, DI, 16, Y0)
	LANES(5, DI, 20, Y0)
	LANES(6, DI, 24, Y0)
	LANES(7, DI, 28, Y0)
	ADDQ $144, DI
	NEXT
	DECQ CX
	JNZ  one
	TREETO(Y0, X0, X3, 0(R8))
done:
	VZEROUPPER
	RET

// func lanesQ40(x *int8, eights *int32, pairs int)
//
// Brings the bytes of vectors into the order of lanes, from that of quantizeBlocks.
TEXT ·lanesQ40(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), SI
	MOVQ eights+8(FP), DI
	MOVQ pairs+16(FP), CX
	MOVL $0x08080808, AX
	VPBROADCASTD AX, Y13
	VPXOR Y12, Y12, Y12
pair:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPUNPCKLWD Y1, Y0, Y2
	VPUNPCKHWD Y1, Y0, Y3
	VINSERTI128 $1, X3, Y2, Y4
	VPERM2I128 $0x31, Y3, Y2, Y6
	VMOVDQU Y4, (SI)
	VMOVDQU Y6, 32(SI)
	VPXOR Y7, Y7, Y7
	VPDPBUSD Y4, Y13, Y7
	VPSUBD Y7, Y12, Y7
	VMOVDQU Y7, (DI)
	VPXOR Y7, Y7, Y7
	VPDPBUSD Y6, Y13, Y7
	VPSUBD Y7, Y12, Y7
	VMOVDQU Y7, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNZ  pair
	VZEROUPPER
	RET

// func unpackQ40VNNI(w *byte, scales *float32, src *byte, blocks int)
TEXT ·unpackQ40VNNI(SB), NOSPLIT, $0-32
	MOVQ w+0(FP), SI
	MOVQ scales+8(FP), R9
	MOVQ src+16(FP), DI
	MOVQ blocks+24(FP), CX
	MOVL $0x0f0f0f0f, AX
	VPBROADCASTD AX, Y5
block:
	VPBROADCASTW (DI), X1
	VCVTPH2PS X1, X1
	VMOVSS X1, (R9)
	NIBBLES(2(DI), Y3, Y4)
	VMOVDQU Y3, (SI)
	ADDQ $4, R9
	ADDQ $18, DI
	ADDQ $32, SI
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET

// BYTES multiplies a block of a row with both vectors.
#define BYTES(w, at, acc0, acc1) \
	VMOVDQU w, Y12; \
	VMOVDQA Y10, Y14; \
	VPDPBUSD Y8, Y12, Y14; \
	VCVTDQ2PS Y14, Y14; \
	VMULPS.BCST at(AX), Y14, Y14; \
	VADDPS Y14, acc0, acc0; \
	VMOVDQA Y11, Y15; \
	VPDPBUSD Y9, Y12, Y15; \
	VCVTDQ2PS Y15, Y15; \
	VMULPS.BCST at+32(AX), Y15, Y15; \
	VADDPS Y15, acc1, acc1

// SCALES writes the products of the scales of a row, at ws, and of both vectors.
#define SCALES(ws, at) \
	VMULPS ws, Y12, Y14; \
	VMOVUPS Y14, at(SP); \
	VMULPS ws, Y13, Y14; \
	VMOVUPS Y14, at+32(SP)

// func tileQ40VNNI(out *[8]float32, w *byte, ws *float32, x *int8, eights *int32, xs *float32, groups int)
//
// Four rows with two vectors.
TEXT ·tileQ40VNNI(SB), NOSPLIT, $256-56
	MOVQ w+8(FP), SI
	MOVQ ws+16(FP), R8
	MOVQ x+24(FP), DX
	MOVQ eights+32(FP), DI
	MOVQ xs+40(FP), R9
	MOVQ groups+48(FP), CX
	MOVQ CX, R10
	SHLQ $8, R10            // bytes from one row or vector to the next
	LEAQ (R10)(R10*2), BX
	MOVQ CX, R11
	SHLQ $5, R11            // and from its scales
	LEAQ (R11)(R11*2), R12
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
group:
	VMOVUPS (R9), Y12
	VMOVUPS (R9)(R11*1), Y13
	SCALES((R8), 0)
	SCALES((R8)(R11*1), 64)
	SCALES((R8)(R11*2), 128)
	SCALES((R8)(R12*1), 192)
	LEAQ 0(SP), AX
	MOVQ $8, R13
block:
	VMOVDQU (DX), Y8
	VMOVDQU (DX)(R10*1), Y9
	VMOVDQU (DI), Y10
	VMOVDQU (DI)(R10*1), Y11
	BYTES((SI), 0, Y0, Y1)
	BYTES((SI)(R10*1), 64, Y2, Y3)
	BYTES((SI)(R10*2), 128, Y4, Y5)
	BYTES((SI)(BX*1), 192, Y6, Y7)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, DI
	ADDQ $4, AX
	DECQ R13
	JNZ  block
	ADDQ $32, R8
	ADDQ $32, R9
	DECQ CX
	JNZ  group
	MOVQ out+0(FP), DI
	TREETO(Y0, X0, X15, 0(DI))
	TREETO(Y1, X1, X15, 4(DI))
	TREETO(Y2, X2, X15, 8(DI))
	TREETO(Y3, X3, X15, 12(DI))
	TREETO(Y4, X4, X15, 16(DI))
	TREETO(Y5, X5, X15, 20(DI))
	TREETO(Y6, X6, X15, 24(DI))
	TREETO(Y7, X7, X15, 28(DI))
	VZEROUPPER
	RET
