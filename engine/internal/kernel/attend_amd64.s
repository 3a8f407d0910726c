//go:build amd64 && !purego

#include "textflag.h"
#include "tree_amd64.h"

#define SCORE(y, x, to) \
	TREE(y, x, X15); \
	VMULSS X14, x, x; \
	VMOVSS x, to(DI)

// func scoreKeys(scores, q, keys *float32, scale float32, eights, count int)
//
// Four keys at a time, so that their sums run side by side.
TEXT ·scoreKeys(SB), NOSPLIT, $0-48
	MOVQ scores+0(FP), DI
	MOVQ keys+16(FP), SI
	VMOVSS scale+24(FP), X14
	MOVQ eights+32(FP), R8
	MOVQ count+40(FP), CX
	MOVQ R8, R10
	SHLQ $5, R10 // bytes of a key
	LEAQ (R10)(R10*2), R11
	CMPQ CX, $4
	JLT  ones
fours:
	MOVQ q+8(FP), DX
	MOVQ SI, R12
	MOVQ R8, BX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
four:
	VMOVUPS (DX), Y4
	VMULPS (R12), Y4, Y5
	VMULPS (R12)(R10*1), Y4, Y6
	VMULPS (R12)(R10*2), Y4, Y7
	VMULPS (R12)(R11*1), Y4, Y8
	VADDPS Y5, Y0, Y0
	VADDPS Y6, Y1, Y1
	VADDPS Y7, Y2, Y2
	VADDPS Y8, Y3, Y3
	ADDQ $32, DX
	ADDQ $32, R12
	DECQ BX
	JNZ  four
	SCORE(Y0, X0, 0)
	SCORE(Y1, X1, 4)
	SCORE(Y2, X2, 8)
	SCORE(Y3, X3, 12)
	ADDQ $16, DI
	LEAQ (SI)(R10*4), SI
	SUBQ $4, CX
	CMPQ CX, $4
	JGE  fours
ones:
	TESTQ CX, CX
	JZ   end
	MOVQ q+8(FP), DX
	MOVQ R8, BX
	VXORPS Y0, Y0, Y0
one:
	VMOVUPS (DX), Y4
	VMULPS (SI), Y4, Y5
	VADDPS Y5, Y0, Y0
	ADDQ $32, DX
	ADDQ $32, SI
	DECQ BX
	JNZ  one
	SCORE(Y0, X0, 0)
	ADDQ $4, DI
	DECQ CX
	JMP  ones
end:
	VZEROUPPER
	RET

#define ADDTO(off, y) \
	VMULPS off(DX), Y8, Y9; \
	VADDPS Y9, y, y

// func addWeighted(out, weights, values *float32, eights, count int)
//
// The sums of 64 columns, then of 8, stay in registers while the values pass.
TEXT ·addWeighted(SB), NOSPLIT, $0-40
	MOVQ out+0(FP), DI
	MOVQ values+16(FP), SI
	MOVQ eights+24(FP), R8
	MOVQ R8, R10
	SHLQ $5, R10 // bytes of a value
	CMPQ R8, $8
	JLT  narrow
wide:
	MOVQ weights+8(FP), R9
	MOVQ count+32(FP), CX
	MOVQ SI, DX
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	VMOVUPS 64(DI), Y2
	VMOVUPS 96(DI), Y3
	VMOVUPS 128(DI), Y4
	VMOVUPS 160(DI), Y5
	VMOVUPS 192(DI), Y6
	VMOVUPS 224(DI), Y7
wideone:
	VBROADCASTSS (R9), Y8
	ADDTO(0, Y0)
	ADDTO(32, Y1)
	ADDTO(64, Y2)
	ADDTO(96, Y3)
	ADDTO(128, Y4)
	ADDTO(160, Y5)
	ADDTO(192, Y6)
	ADDTO(224, Y7)
	ADDQ $4, R9
	ADDQ R10, DX
	DECQ CX
	JNZ  wideone
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	VMOVUPS Y4, 128(DI)
	VMOVUPS Y5, 160(DI)
	VMOVUPS Y6, 192(DI)
	VMOVUPS Y7, 224(DI)
	ADDQ $256, DI
	ADDQ $256, SI
	SUBQ $8, R8
	CMPQ R8, $8
	JGE  wide
narrow:
	TESTQ R8, R8
	JZ   end
	MOVQ weights+8(FP), R9
	MOVQ count+32(FP), CX
	MOVQ SI, DX
	VMOVUPS (DI), Y0
narrowone:
	VBROADCASTSS (R9), Y8
	ADDTO(0, Y0)
	ADDQ $4, R9
	ADDQ R10, DX
	DECQ CX
	JNZ  narrowone
	VMOVUPS Y0, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	DECQ R8
	JMP  narrow
end:
	VZEROUPPER
	RET
