// End of the wire: holds each frame until its FCS has ended, then has it completed, or frees the completion slot it was
// promised if it needs none.
// Rate: a frame a cycle. Latency: 2 cycles after the end of the FCS.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_done #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter META_W = `RW_META_W(QW)
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [63:0]       tod,                      // 48.16 ns
    input  logic              s_done_valid,
    output logic              s_done_room,              // for two more
    input  logic [META_W-1:0] s_done_meta,
    input  logic [63:0]       s_done_start,
    input  logic [63:0]       s_done_end,
    output logic              m_cpl_valid,
    input  logic              m_cpl_ready,
    output logic [QW-1:0]     m_cpl_queue,
    output logic [15:0]       m_cpl_index,
    output logic [3:0]        m_cpl_status,
    output logic              m_cpl_tstamp,
    output logic [19:0]       m_cpl_segments,
    output logic [63:0]       m_cpl_time,
    output logic              done_valid,               // a frame has left the pipeline
    output logic [QW-1:0]     done_queue,
    output logic [15:0]       done_index,
    output logic [3:0]        done_status,
    output logic              done_last,                // ... and its packet with it
    output logic [14:0]       done_bytes,               // on the wire, padded, without FCS
    output logic              slot_release,             // ... without a completion
    output logic              deadline_valid,
    output logic [63:0]       deadline,
    output logic              idle,
    output logic              awake
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    logic              head_valid, room_for_one;
    logic [META_W-1:0] head;
    logic [63:0]       head_start, fcs_end;
    logic [5:0]        count;
    logic              ended_reg;                       // a frame has ended, this one:
    logic [META_W-1:0] meta_reg;
    logic [63:0]       start_reg;
    wire               over = head_valid && tod >= fcs_end;
    wire               free = !ended_reg || done_valid;
    rw_fifo #(.W(META_W + 128), .DEPTH(32)) frames (
        .clk(clk), .rst(rst), .count(count),
        .s_valid(s_done_valid), .s_ready(room_for_one), .s_data({s_done_meta, s_done_start, s_done_end}),
        .m_valid(head_valid), .m_ready(over && free), .m_data({head, head_start, fcs_end})
    );
    assign s_done_room = count < 6'd30;

    logic [17:0] sent_reg [0:QUEUES-1];                 // segments of the queue's packet that have left so far
    logic [63:0] begin_reg [0:QUEUES-1];                // first beat of its first one
    wire [QW-1:0] queue = meta_reg[F_QUEUE +: QW];
    wire [14:0] len    = meta_reg[F_LEN +: 15];
    wire [3:0]  status = meta_reg[F_STATUS +: 4];
    wire        good   = status == STATUS_OK[3:0];
    wire        here   = !meta_reg[F_FETCH] && meta_reg[F_LAST]; // else it was completed when it was in the buffer
    wire        wanted = here && (meta_reg[F_REPORT] || !good) && status != STATUS_CLOSED;
    assign m_cpl_valid  = ended_reg && wanted;
    assign m_cpl_queue  = queue;
    assign m_cpl_index  = {1'b0, meta_reg[F_INDEX +: 15]};
    assign m_cpl_status = status;
    assign m_cpl_tstamp = meta_reg[F_TSTAMP];
    assign m_cpl_segments = {2'd0, sent_reg[queue]} + {19'd0, good};
    assign m_cpl_time   = meta_reg[F_FIRST] ? start_reg : begin_reg[queue];
    assign done_valid   = ended_reg && (!wanted || m_cpl_ready);
    assign done_queue   = queue;
    assign done_index   = m_cpl_index;
    assign done_status  = status;
    assign done_last    = meta_reg[F_LAST];
    assign done_bytes   = (len < 15'd60) ? 15'd60 : len;
    assign slot_release = done_valid && here && !wanted;
    assign deadline_valid = head_valid && !over;
    assign deadline       = fcs_end;
    assign idle           = !ended_reg && !over;
    assign awake = !idle || s_done_valid;

    integer k;
    always_ff @(posedge clk) begin
        if (free) begin
            ended_reg <= over;
            meta_reg  <= head;
            start_reg <= head_start;
        end
        if (done_valid) begin
            sent_reg[queue] <= done_last ? 18'd0 : sent_reg[queue] + {17'd0, good};
            if (meta_reg[F_FIRST]) begin_reg[queue] <= start_reg;
        end
        if (rst) begin
            ended_reg <= 1'b0;
            for (k = 0; k < QUEUES; k = k + 1) sent_reg[k] <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(ended_frame_finds_room, !s_done_valid || room_for_one)
    end
endmodule
