// Any packets through rw_frame_sched (with rw_segmenter): a frame is picked only if all behind has room for it, so that
// never more is in flight than there is: beats of the frame buffer, frames, slots of a completion ring, wire bytes
// below the bound. What it books for a frame is what rw_gather will write.
// Relies on: only what was booked is released; a ring is as large as registers allow; a packet's summary stands until
// it is popped; a queue is cleared when nothing of it is in flight.
`include "rw_check.svh"
`include "rw_widths.svh"
module reservations #(
    parameter BUF_LOG2 = 5,
    parameter FRAMES   = 4,
    parameter SLOT_W   = `RW_SLOT_W,
    parameter META_W   = `RW_META_W(1),
    parameter EDIT_W   = `RW_EDIT_W,
    parameter REQ_W    = `RW_REQ_W
) (
    input logic              clk,
    input logic              rst,
    input logic              enable,
    input logic              at_fetch,
    input logic [31:0]       commit_bound,
    input logic [1:0]        q_run,
    input logic [1:0]        q_resetting,
    input logic [1:0]        q_clear,
    input logic [7:0]        ring_log2,
    input logic [5:0]        priorities,
    input logic [1:0]        q_in_credit,
    input logic [1:0]        q_opened,
    input logic [1:0]        q_limited,
    input logic [1:0]        q_late,
    input logic [1:0]        q_launch,
    input logic [1:0]        sum_some,
    input logic [1:0]        sum_more,
    input logic [18:0]       sum_len,
    input logic [6:0]        sum_number,
    input logic [3:0]        sum_status,
    input logic              sum_report,
    input logic              sum_tstamp,
    input logic              sum_silent,
    input logic              sum_skip,
    input logic [2:0]        sum_type,
    input logic              sum_fixed,
    input logic              sum_partial,
    input logic [13:0]       sum_mss,
    input logic [8:0]        sum_hdr,
    input logic [7:0]        sum_at,
    input logic [7:0]        sum_to,
    input logic              sum_csum,
    input logic              sum_tag,
    input logic [15:0]       sum_tci,
    input logic              sum_drop,
    input logic              m_launch_ready,
    input logic              m_job_ready,
    input logic              free_valid,
    input logic [SLOT_W-1:0] free_slot,
    input logic              fail_valid,
    input logic              fail_queue,
    input logic [SLOT_W-1:0] fail_slot,
    input logic              wire_release,
    input logic [15:0]       wire_bytes,
    input logic              buf_release,
    input logic [BUF_LOG2:0] buf_beats,
    input logic              kill_release,
    input logic [11:0]       kill_beats,
    input logic              done_valid,
    input logic              done_queue,
    input logic              slot_a_release,
    input logic              slot_a_queue,
    input logic              slot_b_release,
    input logic              slot_b_queue,
    input logic              con_valid,
    input logic              con_queue,
    input logic [15:0]       con_number,
    input logic              event_valid,
    input logic              event_queue
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    localparam SLOTS = 1 << SLOT_W, ALL = 1 << BUF_LOG2, CHARGE = 32767 + 24;
    logic              sum_queue, sum_pop, m_job_valid, m_job_queue, m_job_read, m_job_skip, m_job_cut, m_job_last;
    logic              m_shape_valid, m_shape_wanted, m_meta_valid, open_valid, idle, awake;
    logic [6:0]        m_job_number;
    logic [14:0]       m_job_bytes;
    logic [2:1]        m_shape_fill;
    logic [7:0]        m_shape_header;
    logic [8:0]        m_shape_sum;
    logic [SLOT_W-1:0] m_shape_slot, open_slot;
    logic [META_W-1:0] m_meta;
    logic [EDIT_W-1:0] m_edit;
    logic [REQ_W-1:0]  open_req;
    logic [1:0]        event_ok, none_in_flight, q_begun, q_refill;
    logic              m_launch_valid;
    rw_frame_sched #(.DATA_W(64), .QUEUES(2), .FRAMES(FRAMES), .BUF_LOG2(BUF_LOG2)) dut (.*);

    (* hierconn *) wire [17:0]       \dut.commit_reg ;
    (* hierconn *) wire [15:0]       \dut.over_reg ;     // has been released, and is still counted
    (* hierconn *) wire              \dut.commit_ok_reg , \dut.bounded_reg ;
    (* hierconn *) wire [18:0]       \dut.bound_reg ;
    (* hierconn *) wire [BUF_LOG2:0] \dut.free_reg ;
    (* hierconn *) wire [2:0]        \dut.frames_reg , \dut.flying_reg[0] , \dut.flying_reg[1] ;
    (* hierconn *) wire [14:2]       \dut.most_reg[0] , \dut.most_reg[1] ;
    (* hierconn *) wire [14:0]       \dut.slots_reg[0] , \dut.slots_reg[1] ,
        \dut.back_reg[0] , \dut.back_reg[1] ;
    (* hierconn *) wire [1:0]        \dut.slot_free_reg ;
    (* hierconn *) wire [1:0]        \dut.segmenter.open_reg ;
    (* hierconn *) wire              \dut.segmenter.first_reg[0] , \dut.segmenter.first_reg[1] ;
    (* hierconn *) wire [SLOTS-1:0]  \dut.segmenter.free_reg ;
    (* hierconn *) wire [14:0]       \dut.segmenter.seg_reg[0] , \dut.segmenter.seg_reg[1] ,
        \dut.segmenter.stored_reg[0] , \dut.segmenter.stored_reg[1] ;

    // ---- booked and not released
    logic [BUF_LOG2:0] booked;
    logic [2:0]        flying0, flying1, on_wire;      // frames; frames of which wire bytes are still ahead
    logic [18:0]       wire_ahead;
    logic [31:0]       bound, old_bound;               // as it was a cycle ago, and two
    wire  [18:0]       counted = wire_ahead + {3'd0, \dut.over_reg };
    wire               below = bound == 0 || counted < bound || old_bound == 0 || counted < old_bound;
    logic [SLOTS-1:0]  held;                           // header slots
    wire [11:0] beats  = m_edit[E_BEATS +: 12];
    wire [14:0] len    = m_meta[F_LEN +: 15];
    wire [15:0] charge = (len < 60) ? 16'd84 : {1'b0, len} + 16'd24;
    wire [12:0] back   = (buf_release ? {7'd0, buf_beats} : 13'd0) + (kill_release ? {1'b0, kill_beats} : 13'd0);
    wire [18:0] wire_after = wire_ahead - {3'd0, wire_bytes};
    wire [14:0] stored = m_job_bytes + {12'd0, m_shape_fill, 1'b0} - {6'd0, m_shape_header[7:2], 3'd0};

    // ---- completion slots of any queue
    (* anyconst *) logic queue;
    logic [15:0] promised;
    logic        begun;                                // a packet has a header slot, and no frame of it has gone yet
    wire [3:0]   log2 = queue ? ring_log2[7:4] : ring_log2[3:0];
    wire [15:0]  ring = 16'd1 << log2;
    wire         taken_f = m_meta_valid && m_job_queue == queue && m_meta[F_FIRST];
    wire         taken_e = event_valid && event_queue == queue;
    wire [16:0]  returned = {16'd0, slot_a_release && slot_a_queue == queue}
                          + {16'd0, slot_b_release && slot_b_queue == queue}
                          + ((con_valid && con_queue == queue) ? {1'b0, con_number} : 17'd0);
    logic [3:0]  old_log2;
    wire  [15:0] most = (16'd1 << old_log2) - 16'd4;   // slots that packets may have
    logic        came_back;                            // slots, a cycle ago
    logic [8:0]  hdr0, hdr1;                           // of the packet that has begun

    initial assume (rst);
    always @(posedge clk) begin
        booked <= booked + (m_shape_valid ? beats[BUF_LOG2:0] : 1'b0) - back[BUF_LOG2:0];
        flying0 <= flying0 + {2'd0, m_meta_valid && !m_job_queue} - {2'd0, done_valid && !done_queue};
        flying1 <= flying1 + {2'd0, m_meta_valid && m_job_queue} - {2'd0, done_valid && done_queue};
        on_wire <= on_wire + {2'd0, m_shape_valid} - {2'd0, wire_release};
        wire_ahead <= (wire_release ? wire_after : wire_ahead) + (m_shape_valid ? {3'd0, charge} : 19'd0);
        if (open_valid) held[open_slot] <= 1'b1;
        if (open_valid && !sum_queue) hdr0 <= sum_hdr;
        if (open_valid && sum_queue)  hdr1 <= sum_hdr;
        if (free_valid) held[free_slot] <= 1'b0;
        promised <= promised + {15'd0, taken_f} + {15'd0, taken_e} - returned[15:0];
        if (open_valid && sum_queue == queue)                  begun <= 1'b1;
        if (m_job_valid && m_job_queue == queue && m_job_cut) begun <= 1'b0;
        old_log2 <= log2;
        came_back <= returned != 0 && !q_clear[queue];
        bound    <= commit_bound;
        old_bound <= bound;
        if (rst || q_clear[queue]) promised <= '0;
        if (rst) begin
            booked     <= '0;
            flying0    <= '0;
            flying1    <= '0;
            on_wire    <= '0;
            wire_ahead <= '0;
            held       <= '0;
            begun      <= 1'b0;
        end
        if (!rst) begin
            assume (back <= {7'd0, booked});
            assume (!done_valid || (done_queue ? flying1 : flying0) != 0);
            assume (!wire_release || (on_wire != 0 && wire_bytes <= wire_ahead
                && {13'd0, wire_after} <= CHARGE * ({29'd0, on_wire} - 1)));
            assume ({1'b0, on_wire} <= {1'b0, flying0} + {1'b0, flying1} + 1);     // its gap may last when it is done
            assume (!free_valid || held[free_slot]);
            assume (returned <= {1'b0, promised});
            assume (!event_valid || (event_ok[event_queue] && !q_clear[event_queue]));
            assume ((q_clear & ~none_in_flight) == 0);
            assume (!q_clear[queue] || !begun);
            assume (log2 >= MIN_RING_LOG2 && log2 <= MAX_RING_LOG2 && (log2 == old_log2 || (promised == 0 && !begun && !came_back)));
            assume (!\dut.segmenter.open_reg [sum_queue] || (sum_type != SEG_NONE && sum_status == STATUS_OK));
            assume (!sum_hdr[0]);
            assume (!\dut.segmenter.open_reg [sum_queue] || sum_hdr == (sum_queue ? hdr1 : hdr0));
            assume (!m_shape_valid || (!sum_silent && stored <= 15'd32760));

            // ---- frame buffer
            `RW_CHECK(buffer_is_never_overbooked, booked <= ALL)
            `RW_CHECK(what_is_booked_is_what_is_written, !m_shape_valid || {3'd0, beats} == (stored + 15'd7) >> 3)
            `RW_CHECK(only_frames_with_bytes_book,
                      m_shape_valid == (m_job_valid && m_job_read) && (m_shape_valid || !m_meta_valid || beats == 0))
            `RW_CHECK(free_beats, \dut.free_reg == ALL - booked)
            // ---- frames
            `RW_CHECK(frames_are_bounded, flying0 + flying1 <= FRAMES)
            `RW_CHECK(frames, \dut.frames_reg == flying0 + flying1 && \dut.flying_reg[0] == flying0
                && \dut.flying_reg[1] == flying1 && flying0 <= FRAMES && flying1 <= FRAMES)
            `RW_CHECK(none_in_flight_is_true, !none_in_flight[queue] || (queue ? flying1 : flying0) == 0)
            // ---- wire bytes
            `RW_CHECK(picked_below_the_bound_only, !m_shape_valid || (below && wire_ahead <= counted))
            `RW_CHECK(commitment,
                      \dut.commit_reg == counted && wire_ahead <= CHARGE * on_wire && on_wire <= FRAMES + 1)
            `RW_CHECK(below_the_bound, !\dut.commit_ok_reg || below)
            `RW_CHECK(bound_is_known,
                      \dut.bound_reg == {1'b0, bound[17:0]} - 19'd24 && \dut.bounded_reg == (bound != 0 && bound < 1 << 18))
            // ---- completion slots
            `RW_CHECK(no_slot_is_promised_twice, promised < ring)
            `RW_CHECK(some_are_kept_for_events, !taken_f || begun || promised < ring - 4)
            `RW_CHECK(a_packet_that_has_begun_finds_its_slot, !begun || (promised < ring
                && (queue ? \dut.slots_reg[1] : \dut.slots_reg[0] ) < ring - 1))
            `RW_CHECK(slots, (queue ? \dut.slots_reg[1] : \dut.slots_reg[0] ) == promised
                + (queue ? \dut.back_reg[1] : \dut.back_reg[0] )
                && (queue ? \dut.slots_reg[1] : \dut.slots_reg[0] ) < 16'd1 << old_log2
                && promised <= (queue ? \dut.slots_reg[1] : \dut.slots_reg[0] )
                && (came_back || (queue ? \dut.back_reg[1] : \dut.back_reg[0] ) == 0))
            `RW_CHECK(segment_is_known, !\dut.segmenter.open_reg [0] || (!hdr0[0]
                && \dut.segmenter.stored_reg[0] == {12'd0, hdr0[2:0]} + \dut.segmenter.seg_reg[0] ))
            `RW_CHECK(other_segment_is_known, !\dut.segmenter.open_reg [1] || (!hdr1[0]
                && \dut.segmenter.stored_reg[1] == {12'd0, hdr1[2:0]} + \dut.segmenter.seg_reg[1] ))
            `RW_CHECK(most_is_known, (queue ? \dut.most_reg[1] : \dut.most_reg[0] ) == most[14:2])
            `RW_CHECK(free_means_free, !\dut.slot_free_reg [queue]
                || (queue ? \dut.slots_reg[1] : \dut.slots_reg[0] ) < most[14:0])
            `RW_CHECK(begun_is_known, begun == (\dut.segmenter.open_reg [queue]
                && (queue ? \dut.segmenter.first_reg[1] : \dut.segmenter.first_reg[0] )))
            // ---- header slots
            `RW_CHECK(a_header_slot_is_free, !open_valid || !held[open_slot])
            `RW_CHECK(header_slots, \dut.segmenter.free_reg == ~held)

            all_booked: cover (booked == ALL);
            all_frames: cover (flying0 == 1 && flying1 == FRAMES - 1);
            held_by_the_bound: cover (on_wire == 1 && wire_ahead == commit_bound && sum_some[sum_queue]);
            a_segment: cover (m_shape_valid && m_job_cut && !m_meta[F_FIRST] && m_shape_fill == 3 && stored > 16);
            an_event_while_begun: cover (begun && taken_e && promised == 2);
            killed: cover (kill_release && buf_release && back == booked && m_shape_valid);
        end
    end
endmodule
