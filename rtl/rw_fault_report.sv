// The fault of early write-back: a packet is reported when its last frame is picked, before that frame is read, and not
// again when it has left. Part of rw_faults, for simulation.
// Rate: a packet a cycle. Latency: 1 cycle.
`include "rw_widths.svh"
module rw_fault_report #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter FRAMES = 512,                             // frames in flight, power of two
    parameter META_W = `RW_META_W(QW),
    parameter EDIT_W = `RW_EDIT_W
) (
    input  logic              clk,
    input  logic              rst,
    input  logic              on,
    // frames that are picked
    input  logic              meta_valid,
    input  logic [META_W-1:0] meta,
    input  logic [EDIT_W-1:0] edit,
    // frames that have left, in the same order
    input  logic              left_valid,
    input  logic [META_W-1:0] left_meta,
    output logic              m_fetch,                  // it has been reported
    // completions of frames that complete in the frame buffer; these go before ours
    input  logic              s_valid,
    output logic              s_ready,
    input  logic [QW-1:0]     s_queue,
    input  logic [15:0]       s_index,
    input  logic [3:0]        s_status,
    input  logic              s_tstamp,
    input  logic [19:0]       s_segments,
    output logic              m_valid,
    input  logic              m_ready,
    output logic [QW-1:0]     m_queue,
    output logic [15:0]       m_index,
    output logic [3:0]        m_status,
    output logic              m_tstamp,
    output logic [19:0]       m_segments,
    output logic              idle
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    wire early = on && meta[F_LAST] && meta[F_REPORT] && !meta[F_FETCH] && meta[F_STATUS +: 4] == STATUS_OK[3:0];
    logic          ours_valid, was_early;
    logic [QW-1:0] ours_queue;
    logic [14:0]   ours_index;
    logic          ours_tstamp;
    logic [15:0]   ours_number;                         // segments before the last
    /* verilator lint_off PINCONNECTEMPTY */ // both have room for all frames in flight, and never sleep
    rw_fifo_ram #(.W(QW + 32), .DEPTH(FRAMES)) reports (
        .clk(clk), .rst(rst), .s_valid(meta_valid && early), .s_ready(),
        .s_data({meta[F_QUEUE +: QW], meta[F_INDEX +: 15], meta[F_TSTAMP], edit[E_NUMBER +: 16]}),
        .m_valid(ours_valid), .m_ready(!s_valid && m_ready), .m_data({ours_queue, ours_index, ours_tstamp, ours_number}),
        .awake()
    );
    rw_fifo_ram #(.W(1), .DEPTH(FRAMES)) told (
        .clk(clk), .rst(rst), .s_valid(meta_valid), .s_ready(), .s_data(early),
        .m_valid(), .m_ready(left_valid), .m_data(was_early), .awake()
    );
    /* verilator lint_on PINCONNECTEMPTY */
    assign m_fetch    = left_meta[F_FETCH] || was_early;
    assign s_ready    = m_ready;
    assign m_valid    = s_valid || ours_valid;
    assign m_queue    = s_valid ? s_queue    : ours_queue;
    assign m_index    = s_valid ? s_index    : {1'b0, ours_index};
    assign m_status   = s_valid ? s_status   : STATUS_OK[3:0];
    assign m_tstamp   = s_valid ? s_tstamp   : ours_tstamp;
    assign m_segments = s_valid ? s_segments : {4'd0, ours_number} + 20'd1;
    assign idle       = !ours_valid;
    wire unused = &{1'b0, edit[EDIT_W-1:E_NUMBER+16], edit[E_NUMBER-1:0], left_meta[META_W-1:F_FETCH+1], left_meta[F_LAST],
                    meta[F_LEN +: 15], meta[F_FIRST], meta[F_LAUNCH]};
endmodule
