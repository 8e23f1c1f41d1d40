// Interrupts: one shot a queue. Software arms with the number of completions it has consumed; the queue fires at once if
// more are visible by then, or later as moderation has it: after so many completions, or so long after the first.
// Errors are not moderated. Only visible completions count, so an interrupt never overtakes what it announces.
// Rate: all queues each cycle. Latency: 1 cycle.
`include "rw_check.svh"
module rw_interrupt #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1 // bits of a queue number; derived
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [63:0]          tod,                   // 48.16 ns
    input  logic [QUEUES-1:0]    q_clear,
    input  logic [QUEUES-1:0]    mask,
    input  logic [QUEUES*16-1:0] mod_frames,
    input  logic [QUEUES*32-1:0] mod_ns,
    input  logic [QUEUES*16-1:0] issued,                // completions on their way to memory
    input  logic [QUEUES*16-1:0] visible,               // ... that have got there
    input  logic [QUEUES-1:0]    urgent_seen,
    // doorbell: completions consumed so far
    input  logic                 con_valid,
    input  logic [QW-1:0]        con_queue,
    input  logic [15:0]          con_index,
    input  logic                 con_arm,
    output logic                 con_ok,                // as many as there are, or less
    output logic [15:0]          con_number,            // consumed by this doorbell
    output logic [QUEUES-1:0]    irq,                   // pulse
    output logic                 deadline_valid,
    output logic [63:0]          deadline,
    output logic                 idle,
    output logic                 awake
);
    logic [15:0]       consumed_reg [0:QUEUES-1];
    logic [QUEUES-1:0] armed_reg, at_once_reg, urgent_reg, timing_reg, fire, some, start, expired, running;

    // a beyond b, as counters modulo 65,536
    function automatic ahead_of(input [15:0] a, input [15:0] b);
        logic [15:0] difference;
        difference = a - b;
        ahead_of   = difference != 16'd0 && !difference[15];
    endfunction

    assign con_number = con_index - consumed_reg[con_queue];
    wire [15:0] there = issued[con_queue*16 +: 16] - consumed_reg[con_queue];
    assign con_ok = con_valid && con_number <= there;

    genvar q;
    generate
        for (q = 0; q < QUEUES; q = q + 1) begin : g_queue
            // software may have seen a completion in memory before its write response came: then this is negative
            wire [15:0] unseen = visible[q*16 +: 16] - consumed_reg[q];
            wire [15:0] frames = mod_frames[q*16 +: 16];
            wire        timed  = mod_ns[q*32 +: 32] != 32'd0;
            wire        enough = (frames > 16'd1) ? unseen >= frames : !timed;
            assign some[q]  = ahead_of(visible[q*16 +: 16], consumed_reg[q]);
            assign fire[q]  = armed_reg[q] && !mask[q] && some[q]
                           && (at_once_reg[q] || urgent_reg[q] || enough || (timed && timing_reg[q] && expired[q]));
            assign start[q] = some[q] && !timing_reg[q];
            assign running[q] = armed_reg[q] && !mask[q] && some[q] && timed && timing_reg[q];
        end
    endgenerate
    assign idle = fire == '0 && irq == '0 && start == '0;
    assign awake = !idle || con_valid || urgent_seen != '0 || timing_reg != (some & ~fire) || q_clear != '0;

    rw_timers #(.QUEUES(QUEUES)) timers (
        .clk(clk), .tod(tod), .start(start), .period(mod_ns), .running(running), .expired(expired),
        .deadline_valid(deadline_valid), .deadline(deadline)
    );

    integer k;
    always_ff @(posedge clk) begin
        irq <= fire;
        for (k = 0; k < QUEUES; k = k + 1) begin
            timing_reg[k] <= some[k] && !fire[k];
            if (urgent_seen[k]) urgent_reg[k] <= 1'b1;
            else if (fire[k])   urgent_reg[k] <= 1'b0;
            if (fire[k]) begin
                armed_reg[k]   <= 1'b0;
                at_once_reg[k] <= 1'b0;
            end
            if (con_ok && con_queue == k[QW-1:0]) begin
                consumed_reg[k] <= con_index;
                if (con_arm) begin
                    armed_reg[k]   <= 1'b1;
                    urgent_reg[k]  <= urgent_seen[k];   // what is visible by now fires at once, or is consumed
                    at_once_reg[k] <= ahead_of(visible[k*16 +: 16], con_index);
                end
            end
            if (rst || q_clear[k]) begin
                consumed_reg[k] <= '0;
                armed_reg[k]    <= 1'b0;
                at_once_reg[k]  <= 1'b0;
                urgent_reg[k]   <= 1'b0;
                timing_reg[k]   <= 1'b0;
            end
        end
        if (rst) irq <= '0;
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(interrupt_only_when_armed, (fire & ~armed_reg) == '0)
    end
endmodule
