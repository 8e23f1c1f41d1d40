// Any frames to rw_pacer, at any line rate, paced or open, also changing: never above the rate, never idle with the
// wire free and a frame waiting, but for its launch time or a pause; beats are contiguous; each record leaves once, in order; wire bytes are released once
// a frame.
// Relies on: time goes on, a frame takes the wire a clock period at least; what is offered stays until it is taken;
// once a frame has started its beats are there; a launch time is there before its frame.
`include "rw_check.svh"
`include "rw_widths.svh"
module pacer #(
    parameter DATA_W = 64,
    parameter BB     = $clog2(DATA_W / 8),
    parameter META_W = `RW_META_W(1)
) (
    input logic              clk,
    input logic              rst,
    input logic [63:0]       tod,
    input logic              open,
    input logic [53:0]       byte_time,
    input logic              pause,
    input logic              s_launch_valid,
    input logic [63:0]       s_launch_time,
    input logic              s_info_valid,
    input logic [META_W-1:0] s_info_meta,
    input logic [69:0]       s_info_time,
    input logic              s_beat_valid,
    input logic [DATA_W-1:0] s_beat_data,
    input logic [BB-1:0]     s_beat_end,
    input logic              s_beat_last,
    input logic              m_axis_tready,
    input logic              m_done_room,
    input logic              look                      // begin to add up wire time at this frame
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    logic                s_launch_ready, s_info_ready, s_beat_ready, m_axis_tvalid, m_axis_tlast, m_done_valid, wire_release;
    logic                deadline_valid, idle, awake;
    logic [DATA_W-1:0]   m_axis_tdata;
    logic [DATA_W/8-1:0] m_axis_tkeep;
    logic [25:0]         m_axis_tuser;
    logic [META_W-1:0]   m_done_meta;
    logic [63:0]         m_done_start, m_done_end, deadline;
    logic [15:0]         wire_bytes;
    rw_pacer #(.DATA_W(DATA_W)) dut (.*);

    (* hierconn *) wire [87:0]       \dut.due_reg ;
    (* hierconn *) wire              \dut.was_due_reg , \dut.mid_reg , \dut.first_reg ;
    (* hierconn *) wire [META_W-1:0] \dut.meta_reg ;
    (* hierconn *) wire [63:0]       \dut.length_reg , \dut.start_reg ;
    (* hierconn *) wire [15:0]       \dut.ahead_reg ;

    // ---- the wire: when it is free, if frames that wait go on from when they were due
    wire [3:0]  status = s_info_meta[F_STATUS +: 4];
    wire [14:0] len    = s_info_meta[F_LEN +: 15];
    wire        send   = status == STATUS_OK[3:0];
    wire        start  = s_info_ready && send;
    wire        pass   = s_info_ready && !send;
    wire        held   = s_info_meta[F_LAUNCH] && tod < s_launch_time;
    wire        waits  = s_info_valid && send && s_beat_valid && !mid && m_done_room && !pause;
    wire [15:0] charge = (len < 60) ? 16'd84 : {1'b0, len} + 16'd24;
    wire [87:0] now    = {tod, 24'd0};
    logic [87:0] before;                               // the edge before
    logic [87:0] free_at;
    wire         waited = before < free_at;            // the wire was busy at the edge before
    // wire time of all frames from some frame on, counted from the edge before it
    logic        looks;
    logic [87:0] sum;

    // ---- the frame on its way out
    logic              mid;                            // beats of it are still to come
    logic              on, first;                      // a beat of it is offered; the first one
    logic [DATA_W-1:0] data;
    logic [BB-1:0]     last_byte;
    logic              last;
    logic              flying;                         // it has started, and its last beat has not left
    logic [META_W-1:0] meta;
    logic [63:0]       began, takes;
    logic [15:0]       ahead;                          // wire bytes of it that are still ahead of others; 0: none
    wire [69:0] gap    = ({16'd0, byte_time} << 4) + ({16'd0, byte_time} << 2);  // 20 byte times
    wire [69:0] to_fcs = s_info_time - gap;            // first beat to end of FCS
    wire        leaves = m_axis_tvalid && m_axis_tready && m_axis_tlast;
    wire        over   = wire_release && !pass;

    logic              last_info, last_beat, last_out;
    logic [META_W+69:0] info;
    logic               last_launch;
    logic [63:0]        launch;
    logic [DATA_W+BB:0] beat;
    logic [DATA_W+DATA_W/8+26:0] out;

    initial assume (rst);
    always @(posedge clk) begin
        before <= now;
        if (start && !open) free_at <= (waited ? free_at : now) + {18'd0, s_info_time};
        if (open)                    looks <= 1'b0;
        else if (start && look)      looks <= 1'b1;
        if (start && (look || !looks)) sum <= before + {18'd0, s_info_time};
        else if (start)              sum <= sum + {18'd0, s_info_time};

        if (s_beat_ready) begin
            on        <= 1'b1;
            first     <= start;
            mid       <= !s_beat_last;
            data      <= s_beat_data;
            last_byte <= s_beat_end;
            last      <= s_beat_last;
        end else if (m_axis_tready) on <= 1'b0;
        if (leaves) flying <= 1'b0;
        if (start) begin
            flying <= 1'b1;
            meta   <= s_info_meta;
            takes  <= {18'd0, to_fcs[69:24]} + {63'd0, to_fcs[23:0] != 0};
        end
        if (on && first && m_axis_tready) began <= tod;
        if (start)     ahead <= charge;
        else if (over) ahead <= '0;

        last_info <= s_info_valid && !s_info_ready;
        last_beat <= s_beat_valid && !s_beat_ready;
        last_out  <= m_axis_tvalid && !m_axis_tready;
        info      <= {s_info_meta, s_info_time};
        last_launch <= s_launch_valid && !s_launch_ready;
        launch      <= s_launch_time;
        beat      <= {s_beat_data, s_beat_end, s_beat_last};
        out       <= {m_axis_tdata, m_axis_tkeep, m_axis_tlast, m_axis_tuser};
        if (rst) begin
            free_at   <= '0;
            looks     <= 1'b0;
            mid       <= 1'b0;
            on        <= 1'b0;
            flying    <= 1'b0;
            ahead     <= '0;
            last_info <= 1'b0;
            last_launch <= 1'b0;
            last_beat <= 1'b0;
            last_out  <= 1'b0;
        end
        if (!rst) begin
            assume (now > before && !tod[63]);
            assume (!s_info_valid || !send || now <= before + {18'd0, s_info_time});
            assume (!last_info || (s_info_valid && info == {s_info_meta, s_info_time}));
            assume (!last_beat || (s_beat_valid && beat == {s_beat_data, s_beat_end, s_beat_last}));
            assume (!mid || s_beat_valid);
            assume (!last_launch || (s_launch_valid && launch == s_launch_time));
            assume (!(s_info_valid && s_info_meta[F_LAUNCH]) || s_launch_valid);

            // ---- rate
            `RW_CHECK(never_before_the_wire_is_free, !start || open || now >= free_at)
            `RW_CHECK(never_above_the_rate, !(start && looks) || open || now > sum)
            `RW_CHECK(never_before_its_launch_time, !start || !held)
            `RW_CHECK(never_while_paused, !start || !pause)
            `RW_CHECK(a_launch_time_is_taken_with_its_frame, s_launch_ready == (s_info_ready && s_info_meta[F_LAUNCH]))
            `RW_CHECK(never_idle_with_a_frame_waiting,
                      start || held || !(waits && (!on || m_axis_tready) && (open || now >= free_at)))
            `RW_CHECK(wakes_when_it_launches, start || !(waits && held && (open || now >= free_at))
                || (deadline_valid && deadline == s_launch_time))
            `RW_CHECK(wakes_when_the_wire_is_free, start || open || !(waits && now < free_at)
                || (deadline_valid && {deadline, 24'd0} >= free_at && {deadline - 64'd1, 24'd0} < free_at))
            `RW_CHECK(asleep_only_with_nothing_to_do,
                      !idle || !(m_axis_tvalid || s_info_ready || s_beat_ready || wire_release))
            // ---- beats
            `RW_CHECK(beats_are_offered_in_order,
                      m_axis_tvalid == on && (!on || {m_axis_tdata, m_axis_tlast} == {data, last}))
            `RW_CHECK(bytes_of_a_beat, !on || ({1'b0, m_axis_tkeep} + 1'b1) == (9'd2 << last_byte))
            `RW_CHECK(a_beat_waits_until_it_is_taken,
                      !last_out || (m_axis_tvalid && out == {m_axis_tdata, m_axis_tkeep, m_axis_tlast, m_axis_tuser}))
            `RW_CHECK(no_beat_is_overwritten, !s_beat_ready || (s_beat_valid && (!on || m_axis_tready)))
            `RW_CHECK(beats_of_a_frame_are_contiguous, !mid || m_axis_tvalid)
            `RW_CHECK(a_frame_begins_with_its_record, !s_beat_ready || start != mid)
            `RW_CHECK(a_record_is_of_a_frame, !s_info_ready || s_info_valid)
            // ---- records
            `RW_CHECK(one_frame_at_a_time, !start || (m_done_room && (!flying || leaves)))
            `RW_CHECK(a_record_without_beats_keeps_its_place, !pass || (m_done_room && !flying))
            `RW_CHECK(each_record_leaves_once, m_done_valid == (leaves || pass))
            `RW_CHECK(its_own_record_leaves, !m_done_valid || m_done_meta == (pass ? s_info_meta : meta))
            `RW_CHECK(time_of_the_first_beat, !leaves || m_done_start == (first ? tod : began))
            `RW_CHECK(time_of_the_end, !m_done_valid || m_done_end == ((pass || open) ? 64'd0 : m_done_start + takes))
            // ---- wire bytes
            `RW_CHECK(bytes_are_released_once, !over || (ahead != 0 && wire_bytes == ahead))
            `RW_CHECK(bytes_are_released_before_the_next, !start || ahead == 0 || over)
            `RW_CHECK(bytes_are_released_in_time, !(ahead != 0 && !open && now >= free_at) || over)
            `RW_CHECK(bytes_of_a_failed_frame_come_back, !pass || (wire_release
                == (len != 0 && (status == STATUS_READ || status == STATUS_ABORTED)) && (!wire_release
                || wire_bytes == charge)))
            // ---- what the pacer knows
            `RW_CHECK(due, \dut.due_reg == free_at + 88'hffffff && \dut.was_due_reg == !waited)
            `RW_CHECK(due_in_a_frame_at_most, free_at <= before + (88'd1 << 70))
            `RW_CHECK(sum_is_behind, !looks || free_at > sum)
            `RW_CHECK(inside, \dut.mid_reg == mid && (!on || mid == !last) && flying == (on || mid) && (!on
                || \dut.first_reg == first))
            `RW_CHECK(record, !flying || (\dut.meta_reg == meta && \dut.length_reg == takes))
            `RW_CHECK(began_is_known, !on || first || \dut.start_reg == began)
            `RW_CHECK(bytes_ahead, \dut.ahead_reg == ahead && (ahead == 0 || ahead >= 84))

            back_to_back: cover (looks && !look && start && leaves && before < free_at);
            schedule_runs_on: cover (looks && !look && start && before < free_at && now > free_at);
            slow_line: cover (ahead != 0 && !flying && !open && !over);
            failed_frame: cover (pass && wire_release);
            opened_in_a_frame: cover (mid && !first && open && ahead != 0 && free_at > now);
            refused: cover (last_out && leaves && !first);
            launched: cover (last_launch && held && !open && now > free_at && !pause && ahead == 0);
        end
    end
endmodule
