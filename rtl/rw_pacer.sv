// Line-rate pacer: owns the wire. A frame starts at the first clock edge at which the one before it has had its time:
// preamble, padded frame, FCS and inter-frame gap. While frames wait, the schedule runs on exactly: it is carried on
// from when the frame was due, not from the edge at which it could start. Open, tready alone rules.
// A frame with a launch time starts at the first edge that is not before it. Paused, no frame starts.
// A frame's beats are contiguous. Start and last beat go to the completion side with the first beat's time.
// Rate: a beat a cycle. Latency: 1 cycle.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_pacer #(
    parameter DATA_W   = 512,                           // width of a beat, bits
    parameter BB       = $clog2(DATA_W / 8),            // bits of an offset in a beat; derived
    parameter QUEUES   = 1,                             // transmit queues
    parameter QW       = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter META_W   = `RW_META_W(QW)
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [63:0]       tod,                      // 48.16 ns
    input  logic              open,
    input  logic [53:0]       byte_time,                // 2^-40 ns
    input  logic              pause,
    // launch times of the frames that have one, each there before its frame
    input  logic              s_launch_valid,
    output logic              s_launch_ready,
    input  logic [63:0]       s_launch_time,            // 48.16 ns
    // frames
    input  logic              s_info_valid,
    output logic              s_info_ready,
    input  logic [META_W-1:0] s_info_meta,
    input  logic [69:0]       s_info_time,              // 2^-40 ns
    input  logic              s_beat_valid,
    output logic              s_beat_ready,
    input  logic [DATA_W-1:0] s_beat_data,
    input  logic [BB-1:0]     s_beat_end,
    input  logic              s_beat_last,
    // the wire
    output logic [DATA_W-1:0] m_axis_tdata,
    output logic [DATA_W/8-1:0] m_axis_tkeep,
    output logic              m_axis_tvalid,
    input  logic              m_axis_tready,
    output logic              m_axis_tlast,
    output logic [25:0]       m_axis_tuser,             // {index, time stamp asked, error, queue}
    // frames that have left, and those that were not to be sent, in order
    output logic              m_done_valid,
    input  logic              m_done_room,              // for two more
    output logic [META_W-1:0] m_done_meta,
    output logic [63:0]       m_done_start,             // first beat, 48.16 ns
    output logic [63:0]       m_done_end,               // end of FCS, 48.16 ns; 0: now
    // wire bytes that are no longer ahead of others
    output logic              wire_release,
    output logic [15:0]       wire_bytes,
    output logic              deadline_valid,
    output logic [63:0]       deadline,
    output logic              idle,
    output logic              awake
);
`include "ringwire_regs.svh"
`include "rw_frame.svh"
    localparam BYTES = DATA_W / 8;

    // when the wire is free, 48.40 ns, and a fraction more: so its upper bits are that time rounded up
    logic [87:0]       due_reg;
    localparam [23:0]  FRACTION = 24'hffffff;
    logic              was_due_reg;                     // ... and it was at the edge before
    logic              mid_reg;                         // beats of the frame on the wire are still in the FIFO
    logic              valid_reg, first_reg, last_reg;
    logic [DATA_W-1:0] data_reg;
    logic [BB-1:0]     end_reg;
    logic [META_W-1:0] meta_reg;
    logic [63:0]       length_reg;                      // first beat to end of FCS, 48.16 ns, rounded up
    logic [63:0]       start_reg;
    logic [15:0]       ahead_reg;                       // wire bytes of the frame that has the wire; 0: none

    function automatic [15:0] charge(input [14:0] len);
        charge = {1'b0, (len < 15'd60) ? 15'd60 : len} + 16'd24;
    endfunction

    wire [63:0] due_at  = due_reg[87:24];               // the first time of day at which it is
    wire        due     = tod >= due_at;
    wire [3:0]  status  = s_info_meta[F_STATUS +: 4];
    wire [14:0] len     = s_info_meta[F_LEN +: 15];
    wire        send    = status == STATUS_OK[3:0];
    wire        advance = !valid_reg || m_axis_tready;
    wire        timed   = s_info_meta[F_LAUNCH];
    wire        held    = timed && tod < s_launch_time;
    wire        ready   = s_info_valid && send && s_beat_valid && !mid_reg && m_done_room && !pause;
    wire        clear   = (open || due) && !held;
    wire        start   = ready && advance && clear;
    wire        was_due = due && !(start && !open);
    wire        load    = start || (mid_reg && s_beat_valid && advance);
    wire        leaves  = valid_reg && last_reg && m_axis_tready;
    // the wire's time over (or, open, the last beat gone): its bytes are ahead of nobody
    wire        over    = ahead_reg != 16'd0 && (open ? !valid_reg || leaves : due);
    // a record without beats passes when nothing is on its way out and the release port is free
    wire        pass    = s_info_valid && !send && !mid_reg && !valid_reg && m_done_room && !over;
    // a record that only ends a packet has no length, and nothing was charged for it
    wire        refund  = (status == STATUS_READ[3:0] || status == STATUS_ABORTED[3:0]) && len != 15'd0;

    wire [69:0] tail_time = ({16'd0, byte_time} << 4) + ({16'd0, byte_time} << 2);  // gap and preamble: 20 bytes
    wire [69:0] to_fcs    = s_info_time - tail_time;

    assign s_info_ready = start || pass;
    assign s_launch_ready = s_info_ready && timed;
    assign s_beat_ready = load;
    assign m_axis_tvalid = valid_reg;
    assign m_axis_tdata  = data_reg;
    assign m_axis_tlast  = last_reg;
    assign m_axis_tuser  = {1'b0, meta_reg[F_INDEX +: 15], meta_reg[F_TSTAMP], 1'b0, {(8-QW){1'b0}}, meta_reg[F_QUEUE +: QW]};
    genvar b;
    generate
        for (b = 0; b < BYTES; b = b + 1) begin : g_keep
            if (b == 0) begin : g_first assign m_axis_tkeep[b] = 1'b1;         end
            else        begin : g_other assign m_axis_tkeep[b] = end_reg >= b; end
        end
    endgenerate

    assign m_done_valid = leaves || pass;
    // a record passes only while no frame is on the wire: what it says then is chosen without asking whether it does
    wire [63:0] began = first_reg ? tod : start_reg;
    assign m_done_meta  = valid_reg ? meta_reg : s_info_meta;
    assign m_done_start = valid_reg ? began : tod;
    assign m_done_end   = (!valid_reg || open) ? 64'd0 : began + length_reg;
    assign wire_release = over || (pass && refund);
    assign wire_bytes   = over ? ahead_reg : charge(len);

    wire   waits_for_wire = !open && !due && (ahead_reg != 16'd0 || ready);
    assign deadline_valid = waits_for_wire || (ready && held);
    assign deadline       = waits_for_wire ? due_at : s_launch_time;
    assign idle = !valid_reg && !pass && !over && !(ready && clear);
    assign awake = !idle || mid_reg || was_due_reg != was_due;

    always_ff @(posedge clk) begin
        if (advance) valid_reg <= load;
        if (load) begin
            data_reg  <= s_beat_data;
            end_reg   <= s_beat_end;
            last_reg  <= s_beat_last;
            first_reg <= start;
            mid_reg   <= !s_beat_last;
        end
        if (start) begin
            meta_reg   <= s_info_meta;
            length_reg <= {18'd0, to_fcs[69:24]} + {63'd0, to_fcs[23:0] != 24'd0};
        end
        if (valid_reg && m_axis_tready && first_reg) start_reg <= tod;

        was_due_reg <= was_due;
        if (start && !open) due_reg <= (was_due_reg ? {tod, FRACTION} : due_reg) + {18'd0, s_info_time};
        if (start)     ahead_reg <= charge(len);
        else if (over) ahead_reg <= 16'd0;
        if (rst) begin
            valid_reg   <= 1'b0;
            mid_reg     <= 1'b0;
            due_reg     <= {64'd0, FRACTION};
            was_due_reg <= 1'b1;
            ahead_reg   <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(a_frame_never_runs_dry, !mid_reg || s_beat_valid)
        `RW_CHECK(a_launch_time_comes_before_its_frame, !(s_info_valid && timed) || s_launch_valid)
        `RW_CHECK(the_wire_is_free_for_a_start, !start || ahead_reg == 16'd0 || over)
    end
endmodule
