// Any frames to rw_done: each leaves once, in order, at the second edge after its FCS, with a completion, or with its
// completion slot, or with neither if it was none's last; and its number of segments is right.
// Relies on: time goes on; rw_pacer starts a frame only while there is room, and has one on the wire at most.
`include "rw_check.svh"
`include "rw_widths.svh"
module done #(
    parameter QUEUES = 2,
    parameter QW     = 1,
    parameter META_W = `RW_META_W(QW)
) (
    input logic              clk,
    input logic              rst,
    input logic [63:0]       tod,
    input logic              s_done_valid,
    input logic [META_W-1:0] s_done_meta,
    input logic [63:0]       s_done_start,
    input logic [63:0]       s_done_end,
    input logic              m_cpl_ready,
    input logic              begins                    // a frame begins on the wire
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    logic          s_done_room, m_cpl_valid, m_cpl_tstamp, done_valid, done_last, slot_release, deadline_valid, idle, awake;
    logic [QW-1:0] m_cpl_queue, done_queue;
    logic [15:0]   m_cpl_index, done_index;
    logic [3:0]    m_cpl_status, done_status;
    logic [19:0]   m_cpl_segments;
    logic [63:0]   m_cpl_time, deadline;
    logic [14:0]   done_bytes;
    rw_done #(.QUEUES(QUEUES)) dut (.*);

    (* hierconn *) wire [5:0]  \dut.count , \dut.frames.wr_reg , \dut.frames.rd_reg ;
    (* hierconn *) wire [17:0] \dut.sent_reg[0] , \dut.sent_reg[1] ;
    (* hierconn *) wire [63:0] \dut.begin_reg[0] , \dut.begin_reg[1] ;
    (* hierconn *) wire         \dut.frames.valid_reg ;
    // the oldest frame that may still be on the wire; that it is the oldest is proved of rw_fifo
    (* hierconn *) wire        \dut.head_valid ;
    (* hierconn *) wire [63:0] \dut.fcs_end ;
    wire some = \dut.head_valid ;
    wire over = some && tod >= \dut.fcs_end ;
    // the one before, which has ended
    (* hierconn *) wire              \dut.ended_reg ;
    (* hierconn *) wire [META_W-1:0] \dut.meta_reg ;
    (* hierconn *) wire [63:0]       \dut.start_reg ;
    wire [META_W-1:0] meta = \dut.meta_reg ;
    wire [3:0] status = meta[F_STATUS +: 4];
    wire       good   = status == STATUS_OK;
    wire       ends   = meta[F_LAST] && !meta[F_FETCH];
    wire       reports = ends && status != STATUS_CLOSED && (meta[F_REPORT] || !good);

    logic [5:0]  inside;                               // frames that wait for their end
    logic        on_wire;
    logic        ended;                                // one has, and has not left
    logic [63:0] its_end, before;
    (* anyconst *) logic queue;
    wire         mine = meta[F_QUEUE] == queue;
    logic [17:0] segments;                             // of the queue's packet
    logic [63:0] began;                                // its first beat, once it has one
    logic        known;

    initial assume (rst);
    always @(posedge clk) begin
        inside  <= inside + {5'd0, s_done_valid} - {5'd0, done_valid};
        on_wire <= begins || (on_wire && !s_done_valid);
        before  <= tod;
        ended   <= over || (ended && !done_valid);
        if (!ended || done_valid) its_end <= \dut.fcs_end ;
        if (done_valid && mine) begin
            segments <= meta[F_LAST] ? 18'd0 : segments + {17'd0, good};
            if (meta[F_FIRST]) began <= \dut.start_reg ;
            known <= known || meta[F_FIRST];
        end
        if (rst) begin
            inside   <= '0;
            on_wire  <= 1'b0;
            ended    <= 1'b0;
            before   <= '0;
            segments <= '0;
            known    <= 1'b0;
        end
        if (!rst) begin
            assume (!begins || (s_done_room && (!on_wire || s_done_valid)));
            assume (!s_done_valid || on_wire || s_done_room);
            assume (!s_done_valid || s_done_end[63] == 0);
            assume (tod >= before);

            `RW_CHECK(there_is_room, !s_done_valid || inside < 32 + {5'd0, ended})
            `RW_CHECK(room_for_two_more, s_done_room == (inside < 30 + {5'd0, ended}))
            `RW_CHECK(never_before_its_end, !done_valid || (ended && before >= its_end))
            `RW_CHECK(none_is_lost, !ended || done_valid || (m_cpl_valid && !m_cpl_ready))
            `RW_CHECK(a_completion_for_each_that_reports, (m_cpl_valid && m_cpl_ready) == (done_valid && reports))
            `RW_CHECK(else_its_slot, slot_release == (done_valid && ends && !reports))
            `RW_CHECK(completion_is_its_own, !m_cpl_valid || ({m_cpl_queue, m_cpl_index[14:0], m_cpl_status, m_cpl_tstamp}
                == {meta[F_QUEUE], meta[F_INDEX +: 15], meta[F_STATUS +: 4], meta[F_TSTAMP]}))
            `RW_CHECK(number_of_segments, !(m_cpl_valid && mine) || m_cpl_segments == {2'd0, segments} + {19'd0, good})
            `RW_CHECK(time_of_the_first, !(m_cpl_valid && mine && (known || meta[F_FIRST]))
                || m_cpl_time == (meta[F_FIRST] ? \dut.start_reg : began))
            `RW_CHECK(counted, !done_valid || ({done_queue, done_index[14:0], done_status, done_last}
                == {meta[F_QUEUE], meta[F_INDEX +: 15], meta[F_STATUS +: 4], meta[F_LAST]}))
            `RW_CHECK(padded, !done_valid || done_bytes == ((meta[F_LEN +: 15] > 60) ? meta[F_LEN +: 15] : 15'd60))
            `RW_CHECK(wakes_at_the_end, !(some && tod < \dut.fcs_end ) || (deadline_valid && deadline == \dut.fcs_end ))
            `RW_CHECK(asleep_only_with_nothing_to_do, !idle || !(done_valid || m_cpl_valid || over))
            // what the block knows
            `RW_CHECK(number, ended == \dut.ended_reg
                && inside == \dut.frames.wr_reg - \dut.frames.rd_reg + {5'd0, \dut.frames.valid_reg } + {5'd0, ended}
                && inside <= (on_wire ? 30 : 31) + {5'd0, ended} && (\dut.frames.valid_reg || inside == {5'd0, ended}) && (!ended || before >= its_end))
            `RW_CHECK(sums, (queue ? \dut.sent_reg[1] : \dut.sent_reg[0] ) == segments
                && (!known || (queue ? \dut.begin_reg[1] : \dut.begin_reg[0] ) == began))

            in_three_segments: cover (m_cpl_valid && m_cpl_ready && m_cpl_segments == 3 && mine);
            held_by_completions: cover (m_cpl_valid && !m_cpl_ready && inside == 5);
            without_a_report: cover (slot_release && good);
            an_error: cover (m_cpl_valid && !meta[F_REPORT]);
        end
    end
endmodule
