/*
 * What wine before 8.11 lacks of Windows: the source of random numbers that Rust's standard library asks for, for its hash
 * maps. Beside the tests only, never in an archive.
 */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG n_bytes);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T n_bytes) { return SystemFunction036(buffer, (ULONG)n_bytes); }
