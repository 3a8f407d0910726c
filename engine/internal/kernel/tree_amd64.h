// TREE adds the lanes of y in their fixed order and leaves the sum in x, its lowest lane; t is scratch.
#define TREE(y, x, t) \
	VHADDPS y, y, y; \
	VHADDPS y, y, y; \
	VEXTRACTF128 $1, y, t; \
	VADDSS t, x, x

// TREETO stores that sum.
#define TREETO(y, x, t, to) \
	TREE(y, x, t); \
	VMOVSS x, to
