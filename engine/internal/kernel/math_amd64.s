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

// func expDoubles(x *float64, inverse *[32]float64, sixteens int) int
TEXT ·expDoubles(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), DI
	MOVQ inverse+8(FP), R10
	MOVQ sixteens+16(FP), CX
	XORQ AX, AX
sixteen:
	VMOVUPD (DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD 64(DI), Y2
	VMOVUPD 96(DI), Y3
	EXP16(out)
	VMOVUPD Y8, (DI)
	VMOVUPD Y9, 32(DI)
	VMOVUPD Y10, 64(DI)
	VMOVUPD Y11, 96(DI)
	ADDQ $128, DI
	INCQ AX
	DECQ CX
	JNZ  sixteen
out:
	MOVQ AX, ret+24(FP)
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

// func cpuid(leaf uint32) (c uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-12
	MOVL leaf+0(FP), AX
	XORL CX, CX
	CPUID
	MOVL CX, c+8(FP)
	RET
