// Frame sequencer: keeps the records of picked frames in order and joins each with the news that its bytes are in the
// frame buffer, or that a read failed. Frames condemned before any read pass without waiting for bytes. When a segment's
// read has failed, what follows of its packet is not to be sent.
// Rate: a frame a cycle. Latency: 1 cycle after the last beat is in the buffer.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_frame_seq #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter FRAMES = 512,                             // frames in flight
    parameter META_W = `RW_META_W(QW),
    parameter EDIT_W = `RW_EDIT_W,
    parameter SLOT_W = `RW_SLOT_W                       // bits of a header slot's number
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [63:0]       tod,                      // 48.16 ns
    // picked frames, in order
    input  logic              s_meta_valid,
    input  logic [META_W-1:0] s_meta,
    input  logic [EDIT_W-1:0] s_edit,
    // bytes in the buffer, in the order of the frames that are read
    input  logic              s_frame_valid,
    input  logic              s_frame_err,
    input  logic [15:0]       s_frame_sum,
    // frames to send or to account for
    output logic              m_meta_valid,
    input  logic              m_meta_ready,
    output logic [META_W-1:0] m_meta,
    output logic [EDIT_W-1:0] m_edit,
    output logic [15:0]       m_sum,
    output logic              m_drop,                   // not to be sent, though its bytes are in the buffer
    output logic              m_header,                 // its packet has a header in a slot
    // a segment could not be read: no more of its packet
    output logic              fail_valid,
    output logic [QW-1:0]     fail_queue,
    output logic [SLOT_W-1:0] fail_slot,
    // completion of frames that complete here
    output logic              m_cpl_valid,
    input  logic              m_cpl_ready,
    output logic [QW-1:0]     m_cpl_queue,
    output logic [15:0]       m_cpl_index,
    output logic [3:0]        m_cpl_status,
    output logic              m_cpl_tstamp,
    output logic [19:0]       m_cpl_segments,
    output logic [63:0]       m_cpl_time,
    output logic              slot_release,             // ... or that need none
    output logic [QW-1:0]     slot_queue,
    // a failed frame's beats are free again
    output logic              kill_release,
    output logic [11:0]       kill_beats,
    output logic              idle,
    output logic              awake
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    logic              meta_valid, news_valid, news_err, out_ready, records_awake, news_awake, ready_awake;
    logic [META_W-1:0] meta, meta_out;
    logic [EDIT_W-1:0] edit;
    logic [15:0]       sum;
    logic              go;
    logic [QUEUES-1:0] dead_reg;                        // a segment of the queue's packet has failed
    logic [17:0]       sent_reg [0:QUEUES-1];           // segments of the queue's packet so far

    /* verilator lint_off PINCONNECTEMPTY */ // both have room for all frames in flight
    rw_fifo_ram #(.W(META_W + EDIT_W), .DEPTH(FRAMES)) records (
        .clk(clk), .rst(rst), .s_valid(s_meta_valid), .s_ready(), .s_data({s_meta, s_edit}),
        .m_valid(meta_valid), .m_ready(go), .m_data({meta, edit}), .awake(records_awake)
    );
    wire waits = meta[F_STATUS +: 4] == STATUS_OK[3:0];
    rw_fifo_ram #(.W(17), .DEPTH(FRAMES)) news (
        .clk(clk), .rst(rst), .s_valid(s_frame_valid), .s_ready(), .s_data({s_frame_err, s_frame_sum}),
        .m_valid(news_valid), .m_ready(go && waits), .m_data({news_err, sum}), .awake(news_awake)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    wire [QW-1:0] queue = meta[F_QUEUE +: QW];
    wire       dead   = dead_reg[queue];
    wire       failed = waits && news_err;
    wire       last   = meta[F_LAST];
    wire [3:0] status = (failed || (waits && dead)) ? STATUS_READ[3:0] : meta[F_STATUS +: 4];
    wire       good   = status == STATUS_OK[3:0];
    wire       here   = meta[F_FETCH] && last;          // completes here
    wire       wanted = here && (meta[F_REPORT] || !good) && status != STATUS_CLOSED;
    wire       can    = meta_valid && (!waits || news_valid);

    assign go           = can && out_ready && (!wanted || m_cpl_ready);
    assign m_cpl_valid  = can && out_ready && wanted;
    assign m_cpl_queue  = queue;
    assign m_cpl_index  = {1'b0, meta[F_INDEX +: 15]};
    assign m_cpl_status = status;
    assign m_cpl_tstamp = meta[F_TSTAMP];
    assign m_cpl_segments = {2'd0, sent_reg[queue]} + {19'd0, good};
    assign m_cpl_time   = tod;
    assign idle         = !can && !slot_release && !kill_release;
    assign awake        = go || slot_release || kill_release || fail_valid || records_awake || news_awake || ready_awake;

    always @* begin
        meta_out = meta;
        meta_out[F_STATUS +: 4] = status;
    end
    wire drop = waits && dead && !news_err;
    wire header = edit[E_CUT] && edit[E_BEATS +: 12] != 12'd0;
    // a record that waits for no news is not sent: whatever `sum` is then, nobody looks at it
    rw_fifo_ram #(.W(META_W + EDIT_W + 18), .DEPTH(FRAMES)) ready_frames (
        .clk(clk), .rst(rst), .s_valid(go), .s_ready(out_ready), .s_data({meta_out, edit, sum, drop, header}),
        .m_valid(m_meta_valid), .m_ready(m_meta_ready), .m_data({m_meta, m_edit, m_sum, m_drop, m_header}),
        .awake(ready_awake)
    );

    integer k;
    always_ff @(posedge clk) begin
        slot_release <= go && here && !wanted;
        slot_queue   <= queue;
        kill_release <= go && failed;
        kill_beats   <= edit[E_BEATS +: 12];
        fail_valid   <= go && failed && edit[E_CUT];
        fail_queue   <= queue;
        fail_slot    <= edit[E_SLOT +: SLOT_W];
        if (go) begin
            dead_reg[queue] <= !last && (dead || failed);
            sent_reg[queue] <= last ? 18'd0 : sent_reg[queue] + {17'd0, good};
        end
        if (rst) begin
            slot_release <= 1'b0;
            kill_release <= 1'b0;
            fail_valid   <= 1'b0;
            dead_reg <= '0;
            for (k = 0; k < QUEUES; k = k + 1) sent_reg[k] <= '0;
        end
    end
endmodule
