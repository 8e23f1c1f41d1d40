// Frame sequencer: keeps the records of picked frames in order and joins each with the news that its bytes are in the
// frame buffer, or that a read failed. Frames condemned before any read pass without waiting for bytes.
// Rate: a frame a cycle. Latency: 1 cycle after the last beat is in the buffer.
`include "rw_check.svh"
module rw_frame_seq #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter FRAMES = 512,                             // frames in flight
    parameter META_W = QW + 39                          // frame record; derived
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [63:0]       tod,                      // 48.16 ns
    // picked frames, in order
    input  logic              s_meta_valid,
    input  logic [META_W-1:0] s_meta,                   // {queue, index, len, status, report, tstamp, at_fetch, 0}
    // bytes in the buffer, in the order of the frames that are read
    input  logic              s_frame_valid,
    input  logic              s_frame_err,
    // frames to send or to account for
    output logic              m_meta_valid,
    input  logic              m_meta_ready,
    output logic [META_W-1:0] m_meta,
    // completion of frames that complete here
    output logic              m_cpl_valid,
    input  logic              m_cpl_ready,
    output logic [QW-1:0]     m_cpl_queue,
    output logic [15:0]       m_cpl_index,
    output logic [3:0]        m_cpl_status,
    output logic              m_cpl_tstamp,
    output logic [63:0]       m_cpl_time,
    output logic              slot_release,             // ... or that need none
    output logic [QW-1:0]     slot_queue,
    // a failed frame's beats are free again
    output logic              kill_release,
    output logic [14:0]       kill_len,
    output logic              idle
);
`include "ringwire_regs.svh"
    logic              meta_valid, news_valid, news_err, out_ready;
    logic [META_W-1:0] meta;
    logic              go;

    /* verilator lint_off PINCONNECTEMPTY */ // both have room for all frames in flight
    rw_fifo_ram #(.W(META_W), .DEPTH(FRAMES)) records (
        .clk(clk), .rst(rst), .s_valid(s_meta_valid), .s_ready(), .s_data(s_meta),
        .m_valid(meta_valid), .m_ready(go), .m_data(meta)
    );
    wire waits = meta[7:4] == STATUS_OK[3:0];
    rw_fifo_ram #(.W(1), .DEPTH(FRAMES)) news (
        .clk(clk), .rst(rst), .s_valid(s_frame_valid), .s_ready(), .s_data(s_frame_err),
        .m_valid(news_valid), .m_ready(go && waits), .m_data(news_err)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    wire       failed = waits && news_err;
    wire [3:0] status = failed ? STATUS_READ[3:0] : meta[7:4];
    wire       here   = meta[1];                        // completes here
    wire       wanted = here && (meta[3] || status != STATUS_OK[3:0]);
    wire       can    = meta_valid && (!waits || news_valid);

    assign go           = can && out_ready && (!wanted || m_cpl_ready);
    assign m_cpl_valid  = can && out_ready && wanted;
    assign m_cpl_queue  = meta[META_W-1 -: QW];
    assign m_cpl_index  = meta[23 +: 16];
    assign m_cpl_status = status;
    assign m_cpl_tstamp = meta[2];
    assign m_cpl_time   = tod;
    assign slot_release = go && here && !wanted;
    assign slot_queue   = m_cpl_queue;
    assign kill_release = go && failed;
    assign kill_len     = meta[8 +: 15];
    assign idle         = !can;

    rw_fifo_ram #(.W(META_W), .DEPTH(FRAMES)) ready_frames (
        .clk(clk), .rst(rst), .s_valid(go), .s_ready(out_ready), .s_data({meta[META_W-1:8], status, meta[3:0]}),
        .m_valid(m_meta_valid), .m_ready(m_meta_ready), .m_data(m_meta)
    );
endmodule
