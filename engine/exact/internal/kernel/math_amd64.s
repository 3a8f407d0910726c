//go:build amd64 && !purego

#include "textflag.h"

// Element by element: the same operations as the functions in Go, four or eight at
// a time.

DATA consts<>+0(SB)/8, $1.0
DATA consts<>+8(SB)/8, $1.44269504088896338700e+00  // log2(e)
DATA consts<>+16(SB)/8, $0x4338000000000000         // 3<<51
DATA consts<>+24(SB)/8, $6.93147180369123816490e-01 // ln 2, the upper half
DATA consts<>+32(SB)/8, $1.90821492927058770002e-10 // and the lower
DATA consts<>+40(SB)/8, $700.0
DATA consts<>+48(SB)/8, $0x7fffffffffffffff
DATA consts<>+56(SB)/8, $1023
DATA consts<>+64(SB)/8, $0x8000000000000000
GLOBL consts<>(SB), RODATA|NOPTR, $72

// RANGE goes to out if a value of y is no number of at most 700, or no number.
#define RANGE(y, t) \
	VANDPD Y14, y, t; \
	VCMPPD $6, Y15, t, t

// REDUCE leaves in k the rounded multiple of ln 2 in x, plus 3<<51, and in x the rest.
#define REDUCE(x, k, t) \
	VMULPD Y14, x, k; \
	VADDPD Y15, k, k; \
	VSUBPD Y15, k, t; \
	VMULPD Y12, t, Y13; \
	VSUBPD Y13, x, x; \
	VBROADCASTSD consts<>+32(SB), Y13; \
	VMULPD Y13, t, t; \
	VSUBPD t, x, x

// TERM is one step of the series of all four vectors; 1/n is at off(R10).
#define TERM(off) \
	VBROADCASTSD off(R10), Y13; \
	VMULPD Y0, Y8, Y8; \
	VMULPD Y1, Y9, Y9; \
	VMULPD Y2, Y10, Y10; \
	VMULPD Y3, Y11, Y11; \
	VMULPD Y13, Y8, Y8; \
	VMULPD Y13, Y9, Y9; \
	VMULPD Y13, Y10, Y10; \
	VMULPD Y13, Y11, Y11; \
	VADDPD Y12, Y8, Y8; \
	VADDPD Y12, Y9, Y9; \
	VADDPD Y12, Y10, Y10; \
	VADDPD Y12, Y11, Y11

#define POWER(k, sum) \
	VPADDQ Y13, k, k; \
	VPSLLQ $52, k, k; \
	VMULPD k, sum, sum

// EXP16 sets Y8 to Y11 to e to the power of Y0 to Y3, or goes to label other if one is
// out of range.
#define EXP16(other) \
	VBROADCASTSD consts<>+48(SB), Y14; \
	VBROADCASTSD consts<>+40(SB), Y15; \
	RANGE(Y0, Y4); \
	RANGE(Y1, Y5); \
	RANGE(Y2, Y6); \
	RANGE(Y3, Y7); \
	VORPD Y4, Y5, Y4; \
	VORPD Y6, Y7, Y6; \
	VORPD Y4, Y6, Y4; \
	VPTEST Y4, Y4; \
	JNZ other; \
	VBROADCASTSD consts<>+8(SB), Y14; \
	VBROADCASTSD consts<>+16(SB), Y15; \
	VBROADCASTSD consts<>+24(SB), Y12; \
	REDUCE(Y0, Y4, Y8); \
	REDUCE(Y1, Y5, Y9); \
	REDUCE(Y2, Y6, Y10); \
	REDUCE(Y3, Y7, Y11); \
	VBROADCASTSD consts<>+0(SB), Y12; \
	VMOVAPD Y12, Y8; \
	VMOVAPD Y12, Y9; \
	VMOVAPD Y12, Y10; \
	VMOVAPD Y12, Y11; \
	TERM(104); \
	TERM(96); \
	TERM(88); \
	TERM(80); \
	TERM(72); \
	TERM(64); \
	TERM(56); \
	TERM(48); \
	TERM(40); \
	TERM(32); \
	TERM(24); \
	TERM(16); \
	TERM(8); \
	VPBROADCASTQ consts<>+56(SB), Y13; \
	POWER(Y4, Y8); \
	POWER(Y5, Y9); \
	POWER(Y6, Y10); \
	POWER(Y7, Y11)

// func expMinus(x *float32, top float32, inverse *[32]float64, sixteens int) int
TEXT ·expMinus(SB), NOSPLIT, $0-40
	MOVQ x+0(FP), DI
	MOVQ inverse+16(FP), R10
	MOVQ sixteens+24(FP), CX
	XORQ AX, AX
sixteen:
	VBROADCASTSS top+8(FP), Y6
	VMOVUPS (DI), Y4
	VMOVUPS 32(DI), Y5
	VSUBPS Y6, Y4, Y4
	VSUBPS Y6, Y5, Y5
	VCVTPS2PD X4, Y0
	VEXTRACTF128 $1, Y4, X4
	VCVTPS2PD X4, Y1
	VCVTPS2PD X5, Y2
	VEXTRACTF128 $1, Y5, X5
	VCVTPS2PD X5, Y3
	EXP16(out)
	VCVTPD2PSY Y8, X8
	VCVTPD2PSY Y9, X9
	VCVTPD2PSY Y10, X10
	VCVTPD2PSY Y11, X11
	VMOVUPS X8, (DI)
	VMOVUPS X9, 16(DI)
	VMOVUPS X10, 32(DI)
	VMOVUPS X11, 48(DI)
	ADDQ $64, DI
	INCQ AX
	DECQ CX
	JNZ  sixteen
out:
	MOVQ AX, ret+32(FP)
	VZEROUPPER
	RET

// SILU divides the float32s at off(DI) by one more than the vector e, times up.
#define SILU(off, e) \
	VADDPD Y12, e, e; \
	VCVTPS2PD off(DI), Y13; \
	VDIVPD e, Y13, Y13; \
	VCVTPD2PSY Y13, X13; \
	VMULPS off(SI), X13, X13; \
	VMOVUPS X13, off(DI)

// func gateSixteens(gate, up *float32, inverse *[32]float64, sixteens int) int
TEXT ·gateSixteens(SB), NOSPLIT, $0-40
	MOVQ gate+0(FP), DI
	MOVQ up+8(FP), SI
	MOVQ inverse+16(FP), R10
	MOVQ sixteens+24(FP), CX
	XORQ AX, AX
sixteen:
	VBROADCASTSD consts<>+64(SB), Y4
	VCVTPS2PD (DI), Y0
	VCVTPS2PD 16(DI), Y1
	VCVTPS2PD 32(DI), Y2
	VCVTPS2PD 48(DI), Y3
	VXORPD Y4, Y0, Y0
	VXORPD Y4, Y1, Y1
	VXORPD Y4, Y2, Y2
	VXORPD Y4, Y3, Y3
	EXP16(out)
	SILU(0, Y8)
	SILU(16, Y9)
	SILU(32, Y10)
	SILU(48, Y11)
	ADDQ $64, DI
	ADDQ $64, SI
	INCQ AX
	DECQ CX
	JNZ  sixteen
out:
	MOVQ AX, ret+32(FP)
	VZEROUPPER
	RET

DATA single<>+0(SB)/4, $0x7fffffff
DATA single<>+4(SB)/4, $127.0
GLOBL single<>(SB), RODATA|NOPTR, $8

// func quantizeBlocks(words *int16, scales, sums, x *float32, blocks int)
TEXT ·quantizeBlocks(SB), NOSPLIT, $0-40
	MOVQ words+0(FP), DI
	MOVQ scales+8(FP), R8
	MOVQ sums+16(FP), R9
	MOVQ x+24(FP), SI
	MOVQ blocks+32(FP), CX
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
next:
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
	MOVL $0, (R8)
	MOVL $0, (R9)
	JMP  next

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

// func cpuid(leaf uint32) (c uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-12
	MOVL leaf+0(FP), AX
	XORL CX, CX
	CPUID
	MOVL CX, c+8(FP)
	RET
