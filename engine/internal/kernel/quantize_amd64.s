//go:build amd64 && !purego

#include "textflag.h"

DATA single<>+0(SB)/4, $0x7fffffff
DATA single<>+4(SB)/4, $127.0
GLOBL single<>(SB), RODATA|NOPTR, $8

// func quantizeBlocks(bytes *int8, words, eights *int16, scales, sums, x *float32, blocks int)
//
// 32 floats with one scale, as words, and for Q4_0 as bytes, of two blocks the first
// halves and then the second, with 8 times the sums of each lane's four.
TEXT ·quantizeBlocks(SB), NOSPLIT, $0-56
	MOVQ bytes+0(FP), R10
	MOVQ words+8(FP), DI
	MOVQ eights+16(FP), R11
	MOVQ scales+24(FP), R8
	MOVQ sums+32(FP), R9
	MOVQ x+40(FP), SI
	MOVQ blocks+48(FP), CX
	XORQ DX, DX
	VPBROADCASTB eightbytes<>(SB), X13
	VBROADCASTSS single<>+0(SB), Y15
	VMOVSS single<>+4(SB), X14
block:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	VPAND Y15, Y0, Y4
	VPAND Y15, Y1, Y5
	VPAND Y15, Y2, Y6
	VPAND Y15, Y3, Y7
	// Magnitudes are ordered as their bits are, and what is not finite comes last.
	VPMAXSD Y5, Y4, Y4
	VPMAXSD Y7, Y6, Y6
	VPMAXSD Y6, Y4, Y4
	VEXTRACTI128 $1, Y4, X5
	VPMAXSD X5, X4, X4
	VPSHUFD $0x4e, X4, X5
	VPMAXSD X5, X4, X4
	VPSHUFD $0xb1, X4, X5
	VPMAXSD X5, X4, X4
	VMOVD X4, AX
	TESTL AX, AX
	JZ    none
	CMPL  AX, $0x7f7fffff
	JGT   none
	VDIVSS X4, X14, X5  // 127/top
	VMOVD X5, BX
	CMPL  BX, $0x7f800000
	JEQ   none
	VDIVSS X14, X4, X6  // top/127
	VMOVSS X6, (R8)
	VBROADCASTSS X5, Y5
	VMULPS Y5, Y0, Y0
	VMULPS Y5, Y1, Y1
	VMULPS Y5, Y2, Y2
	VMULPS Y5, Y3, Y3
	VCVTPS2DQ Y0, Y0
	VCVTPS2DQ Y1, Y1
	VCVTPS2DQ Y2, Y2
	VCVTPS2DQ Y3, Y3
	VPADDD Y1, Y0, Y7
	VPADDD Y3, Y2, Y8
	VPADDD Y8, Y7, Y7
	VEXTRACTI128 $1, Y7, X8
	VPADDD X8, X7, X7
	VPSHUFD $0x4e, X7, X8
	VPADDD X8, X7, X7
	VPSHUFD $0xb1, X7, X8
	VPADDD X8, X7, X7
	VCVTDQ2PS X7, X7
	VMULSS X6, X7, X7
	VMOVSS X7, (R9)
	VPACKSSDW Y1, Y0, Y0
	VPERMQ $0xd8, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPERMQ $0xd8, Y2, Y2
	VMOVDQU Y0, (DI)
	VMOVDQU Y2, 32(DI)
	VPACKSSWB Y2, Y0, Y0
	VPERMQ $0xd8, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VMOVDQU X0, (R10)(DX*1)
	VMOVDQU X1, 32(R10)(DX*1)
	VPMADDUBSW X0, X13, X0
	VPMADDUBSW X1, X13, X1
	VPADDW X1, X0, X0
	VMOVDQU X0, (R11)
next:
	XORQ $16, DX
	JNZ  same
	ADDQ $64, R10
same:
	ADDQ $16, R11
	ADDQ $128, SI
	ADDQ $64, DI
	ADDQ $4, R8
	ADDQ $4, R9
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET
none:
	VPXOR Y0, Y0, Y0
	VMOVDQU Y0, (DI)
	VMOVDQU Y0, 32(DI)
	VMOVDQU X0, (R10)(DX*1)
	VMOVDQU X0, 32(R10)(DX*1)
	VMOVDQU X0, (R11)
	MOVL $0, (R8)
	MOVL $0, (R9)
	JMP  next

DATA eightbytes<>+0(SB)/1, $8
GLOBL eightbytes<>(SB), RODATA|NOPTR, $1

// MAXIMA joins the magnitudes of sixteen floats at off(SI) to Y4.
#define MAXIMA(off) \
	VPAND off(SI), Y15, Y0; \
	VPAND off+32(SI), Y15, Y1; \
	VPMAXSD Y0, Y4, Y4; \
	VPMAXSD Y1, Y4, Y4

// func quantizeSupers(bytes *int8, words, pairs *int16, scales, sums, x *float32, supers int)
//
// 256 floats with one scale, as bytes, as words in the order of the kernels, and as 32
// times the sums of two neighbours.
TEXT ·quantizeSupers(SB), NOSPLIT, $0-56
	MOVQ bytes+0(FP), R10
	MOVQ words+8(FP), DI
	MOVQ pairs+16(FP), R11
	MOVQ scales+24(FP), R8
	MOVQ sums+32(FP), R9
	MOVQ x+40(FP), SI
	MOVQ supers+48(FP), CX
	VBROADCASTSS single<>+0(SB), Y15
	VMOVSS single<>+4(SB), X14
	VMOVDQU firstsigned<>(SB), Y11
	VMOVDQU secondsigned<>(SB), Y12
	VPBROADCASTB thirtytwo<>(SB), Y10
super:
	VPXOR Y4, Y4, Y4
	MAXIMA(0)
	MAXIMA(64)
	MAXIMA(128)
	MAXIMA(192)
	MAXIMA(256)
	MAXIMA(320)
	MAXIMA(384)
	MAXIMA(448)
	MAXIMA(512)
	MAXIMA(576)
	MAXIMA(640)
	MAXIMA(704)
	MAXIMA(768)
	MAXIMA(832)
	MAXIMA(896)
	MAXIMA(960)
	VEXTRACTI128 $1, Y4, X5
	VPMAXSD X5, X4, X4
	VPSHUFD $0x4e, X4, X5
	VPMAXSD X5, X4, X4
	VPSHUFD $0xb1, X4, X5
	VPMAXSD X5, X4, X4
	VMOVD X4, AX
	VXORPS X6, X6, X6 // the scale
	VXORPS X5, X5, X5 // and what values are multiplied by
	TESTL AX, AX
	JZ    scaled
	CMPL  AX, $0x7f7fffff
	JGT   none
	VDIVSS X4, X14, X5
	VMOVD X5, BX
	CMPL  BX, $0x7f800000
	JEQ   none
	VDIVSS X14, X4, X6
scaled:
	VMOVSS X6, (R8)
	VBROADCASTSS X5, Y5
	MOVQ $8, DX
block:
	VMULPS (SI), Y5, Y0
	VMULPS 32(SI), Y5, Y1
	VMULPS 64(SI), Y5, Y2
	VMULPS 96(SI), Y5, Y3
	VCVTPS2DQ Y0, Y0
	VCVTPS2DQ Y1, Y1
	VCVTPS2DQ Y2, Y2
	VCVTPS2DQ Y3, Y3
put:
	VPADDD Y1, Y0, Y7
	VPADDD Y3, Y2, Y8
	VPADDD Y8, Y7, Y7
	VEXTRACTI128 $1, Y7, X8
	VPADDD X8, X7, X7
	VPSHUFD $0x4e, X7, X8
	VPADDD X8, X7, X7
	VPSHUFD $0xb1, X7, X8
	VPADDD X8, X7, X7
	VCVTDQ2PS X7, X7
	VMULSS X6, X7, X7
	VMOVSS X7, (R9)
	VPACKSSDW Y1, Y0, Y0
	VPERMQ $0xd8, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPERMQ $0xd8, Y2, Y2
	VPACKSSWB Y2, Y0, Y0
	VPERMQ $0xd8, Y0, Y0
	VMOVDQU Y0, (R10)
	VPMADDUBSW Y0, Y10, Y1
	VMOVDQU Y1, (R11)
	VPSHUFB Y11, Y0, Y1
	VPSRAW $8, Y1, Y1
	VMOVDQU Y1, (DI)
	VPSHUFB Y12, Y0, Y1
	VPSRAW $8, Y1, Y1
	VMOVDQU Y1, 32(DI)
	ADDQ $128, SI
	ADDQ $64, DI
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $4, R9
	DECQ DX
	JZ   next
	TESTL AX, AX
	JNZ  block
	JMP  put // zeros again
next:
	ADDQ $4, R8
	DECQ CX
	JNZ  super
	VZEROUPPER
	RET
none:
	XORL AX, AX // what cannot be quantised is zero
	VMOVSS X6, (R8)
	MOVQ $8, DX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	JMP  put

// Of each four bytes, as the upper halves of words: the first two, and the last two.
DATA firstsigned<>+0(SB)/8, $0x0580048001800080
DATA firstsigned<>+8(SB)/8, $0x0d800c8009800880
DATA firstsigned<>+16(SB)/8, $0x0580048001800080
DATA firstsigned<>+24(SB)/8, $0x0d800c8009800880
GLOBL firstsigned<>(SB), RODATA|NOPTR, $32
DATA secondsigned<>+0(SB)/8, $0x0780068003800280
DATA secondsigned<>+8(SB)/8, $0x0f800e800b800a80
DATA secondsigned<>+16(SB)/8, $0x0780068003800280
DATA secondsigned<>+24(SB)/8, $0x0f800e800b800a80
GLOBL secondsigned<>(SB), RODATA|NOPTR, $32
DATA thirtytwo<>+0(SB)/1, $32
GLOBL thirtytwo<>(SB), RODATA|NOPTR, $1
