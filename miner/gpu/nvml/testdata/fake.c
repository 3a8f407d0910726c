/* A management library with two devices: one that tells everything, and one that tells little, as older cards do.
   Built with DENIED it lets nobody set anything. */
#include <stdint.h>
#include <string.h>

#define SUCCESS 0
#define INVALID 2
#define NOT_SUPPORTED 3
#define NO_PERMISSION 4

static int running;
static unsigned limit = 700000; /* milliwatts, of the first */

int nvmlInit_v2(void) { running = 1; return SUCCESS; }
int nvmlShutdown(void) { running = 0; return SUCCESS; }
const char *nvmlErrorString(int code) { return code == NO_PERMISSION ? "Insufficient Permissions" : code == NOT_SUPPORTED ? "Not Supported" : "Invalid Argument"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "580.82.07", size); return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *n) { if (!running) return INVALID; *n = 2; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, uintptr_t *h) { if (i > 1) return INVALID; *h = 0x1000 + i; return SUCCESS; }
static int full(uintptr_t h) { return h == 0x1000; }
int nvmlDeviceGetName(uintptr_t h, char *text, unsigned size) { strncpy(text, full(h) ? "NVIDIA H100 80GB HBM3" : "Quadro P400", size); return SUCCESS; }
int nvmlDeviceGetUUID(uintptr_t h, char *text, unsigned size) { if (!full(h)) return NOT_SUPPORTED; strncpy(text, "GPU-0f1e", size); return SUCCESS; }
struct pci { char legacy[16]; unsigned domain, bus, device, ids, subsystem; char id[32]; };
int nvmlDeviceGetPciInfo_v3(uintptr_t h, struct pci *p) { memset(p, 0, sizeof *p); strcpy(p->id, full(h) ? "00000000:18:00.0" : "00000000:3B:00.0"); return SUCCESS; }
struct memory { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(uintptr_t h, struct memory *m) { m->total = full(h) ? 85520809984ULL : 2147483648ULL; m->used = 1048576; m->free = m->total - m->used; return SUCCESS; }
struct memory2 { unsigned version; unsigned long long total, reserved, free, used; };
int nvmlDeviceGetMemoryInfo_v2(uintptr_t h, struct memory2 *m) { if (!full(h)) return NOT_SUPPORTED; if (m->version != (sizeof *m | 2 << 24)) return INVALID; m->total = 85520809984ULL; m->reserved = 503316480; m->used = 524288; return SUCCESS; }
struct utilization { unsigned gpu, memory; };
int nvmlDeviceGetUtilizationRates(uintptr_t h, struct utilization *u) { if (!full(h)) return NOT_SUPPORTED; u->gpu = 37; u->memory = 12; return SUCCESS; }
int nvmlDeviceGetTemperature(uintptr_t h, unsigned sensor, unsigned *v) { if (sensor) return INVALID; *v = full(h) ? 41 : 33; return SUCCESS; }
int nvmlDeviceGetTemperatureThreshold(uintptr_t h, unsigned which, unsigned *v) { if (!full(h) || which != 1) return NOT_SUPPORTED; *v = 87; return SUCCESS; }
int nvmlDeviceGetPowerUsage(uintptr_t h, unsigned *v) { if (!full(h)) return NOT_SUPPORTED; *v = 118250; return SUCCESS; }
int nvmlDeviceGetEnforcedPowerLimit(uintptr_t h, unsigned *v) { if (!full(h)) return NOT_SUPPORTED; *v = limit; return SUCCESS; }
int nvmlDeviceGetPowerManagementLimit(uintptr_t h, unsigned *v) { if (!full(h)) return NOT_SUPPORTED; *v = limit; return SUCCESS; }
int nvmlDeviceGetPowerManagementLimitConstraints(uintptr_t h, unsigned *least, unsigned *most) { if (!full(h)) return NOT_SUPPORTED; *least = 200000; *most = 700000; return SUCCESS; }
#ifdef DENIED
int nvmlDeviceSetPowerManagementLimit(uintptr_t h, unsigned v) { return NO_PERMISSION; }
#else
int nvmlDeviceSetPowerManagementLimit(uintptr_t h, unsigned v) { if (!running || !full(h) || v < 200000 || v > 700000) return INVALID; limit = v; return SUCCESS; }
#endif
int nvmlDeviceGetClockInfo(uintptr_t h, unsigned which, unsigned *v) { if (which != 1) return INVALID; *v = full(h) ? 1980 : 139; return SUCCESS; }
int nvmlDeviceGetTotalEccErrors(uintptr_t h, unsigned kind, unsigned counter, unsigned long long *v) { if (!full(h) || kind != 1 || counter != 0) return NOT_SUPPORTED; *v = 2; return SUCCESS; }
