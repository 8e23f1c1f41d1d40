// The simulated world without Python: the traffic of traffic.c, driven by what is compiled with the model alone. It
// measures what cocotb and Python cost. verilator_main.cpp drives Verilator's model with it, harness_vpi.c Icarus.
//
// Arguments: name=value for words of the control block (hostmem.h), then count=, frame_bytes=, ring_log2=,
// report_every=, byte_time=, memory_bytes=, capture_bytes=. Others are not its own.
#ifndef RINGWIRE_HARNESS_H
#define RINGWIRE_HARNESS_H

#ifdef __cplusplus
extern "C" {
#endif

// Open the world and start the traffic. Returns 0, or -1 with a line on stderr.
int hm_harness_open(int argc, char **argv);
// If the host has been woken: let the traffic go on. Returns as hm_traffic_step.
int hm_harness_step(void);
// After the last step, which returned `done`: print one line, edges simulated, edges skipped, frames, CPU seconds since
// hm_harness_open. Returns 0 if all is well, else 1.
int hm_harness_report(int done);

#ifdef __cplusplus
}
#endif

#endif
