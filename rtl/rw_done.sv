// End of the wire: holds each frame until its FCS has ended, then has it completed, or frees the completion slot it was
// promised if it needs none.
// Rate: a frame a cycle. Latency: 1 cycle after the end of the FCS.
`include "rw_check.svh"
module rw_done #(
    parameter QUEUES = 1,                               // transmit queues
    parameter QW     = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter META_W = QW + 39                          // frame record; derived
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [63:0]       tod,                      // 48.16 ns
    input  logic              s_done_valid,
    output logic              s_done_room,              // for two more
    input  logic [META_W-1:0] s_done_meta,              // {queue, index, len, status, report, tstamp, at_fetch, 0}
    input  logic [63:0]       s_done_start,
    input  logic [63:0]       s_done_end,
    output logic              m_cpl_valid,
    input  logic              m_cpl_ready,
    output logic [QW-1:0]     m_cpl_queue,
    output logic [15:0]       m_cpl_index,
    output logic [3:0]        m_cpl_status,
    output logic              m_cpl_tstamp,
    output logic [63:0]       m_cpl_time,
    output logic              done_valid,               // a frame has left the pipeline
    output logic [QW-1:0]     done_queue,
    output logic [15:0]       done_index,
    output logic [3:0]        done_status,
    output logic [14:0]       done_bytes,               // on the wire, padded, without FCS
    output logic              slot_release,             // ... without a completion
    output logic              deadline_valid,
    output logic [63:0]       deadline,
    output logic              idle
);
`include "ringwire_regs.svh"
    logic              head_valid, room_for_one;
    logic [META_W-1:0] meta;
    logic [63:0]       start, fcs_end;
    logic [5:0]        count;
    rw_fifo #(.W(META_W + 128), .DEPTH(32)) frames (
        .clk(clk), .rst(rst), .count(count),
        .s_valid(s_done_valid), .s_ready(room_for_one), .s_data({s_done_meta, s_done_start, s_done_end}),
        .m_valid(head_valid), .m_ready(done_valid), .m_data({meta, start, fcs_end})
    );
    wire   unused = meta[0];                            // spare bit of the record
    assign s_done_room = count < 6'd30;

    wire [14:0] len    = meta[8 +: 15];
    wire        ended  = head_valid && tod >= fcs_end;
    wire        here   = !meta[1];                      // else it was completed when it was in the buffer
    wire        wanted = here && (meta[3] || meta[7:4] != STATUS_OK[3:0]);
    assign m_cpl_valid  = ended && wanted;
    assign m_cpl_queue  = meta[META_W-1 -: QW];
    assign m_cpl_index  = meta[23 +: 16];
    assign m_cpl_status = meta[7:4];
    assign m_cpl_tstamp = meta[2];
    assign m_cpl_time   = start;
    assign done_valid   = ended && (!wanted || m_cpl_ready);
    assign done_queue   = m_cpl_queue;
    assign done_index   = m_cpl_index;
    assign done_status  = m_cpl_status;
    assign done_bytes   = (len < 15'd60) ? 15'd60 : len;
    assign slot_release = done_valid && here && !wanted;
    assign deadline_valid = head_valid && !ended;
    assign deadline       = fcs_end;
    assign idle           = !ended;

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(ended_frame_finds_room, !s_done_valid || room_for_one)
    end
endmodule
