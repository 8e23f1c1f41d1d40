// Faults: bugs that devices have had, for simulation. A write to FAULT_SELECT, which is there only with FAULTS = 1,
// switches one of them on. Stands between the stages of ringwire_tx, whose names the ports have: f_x is what goes on
// instead of x. docs/bugs.md says what each fault does, and what tells.
`include "rw_widths.svh"
module rw_faults #(
    parameter DATA_W   = 512,                           // width of a beat, bits
    parameter BB       = $clog2(DATA_W / 8),            // bits of an offset in a beat; derived
    parameter QUEUES   = 1,                             // transmit queues
    parameter QW       = (QUEUES > 1) ? $clog2(QUEUES) : 1, // bits of a queue number; derived
    parameter BUF_LOG2 = 10,                            // beats of the frame buffer, power of two
    parameter FRAMES   = 512,                           // frames in flight, power of two
    parameter META_W   = `RW_META_W(QW),
    parameter EDIT_W   = `RW_EDIT_W
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic [QUEUES-1:0]    q_clear,
    // registers
    input  logic [15:0]          s_axil_awaddr,
    input  logic                 s_axil_awvalid,
    input  logic                 s_axil_awready,
    input  logic [31:0]          s_axil_wdata,
    input  logic [1:0]           bresp,                 // rw_csr knows nothing of FAULT_SELECT
    output logic [1:0]           s_axil_bresp,
    input  logic [15:0]          s_axil_araddr,
    input  logic                 s_axil_arvalid,
    input  logic                 s_axil_arready,
    // interrupts and write-back
    input  logic [QUEUES*16-1:0] visible,
    input  logic                 con_ok,
    input  logic [QW-1:0]        con_queue,
    input  logic [15:0]          con_index,
    input  logic                 con_arm,
    input  logic [QUEUES-1:0]    irq_mask,
    output logic [QUEUES-1:0]    f_irq_mask,
    input  logic [QUEUES*5-1:0]  cpl_threshold,
    output logic [QUEUES*5-1:0]  f_cpl_threshold,
    input  logic [QUEUES*32-1:0] cpl_timer_ns,
    output logic [QUEUES*32-1:0] f_cpl_timer_ns,
    // what packets ask for
    input  logic [QW-1:0]        sum_queue,
    input  logic                 sum_pop,
    input  logic [2:0]           sum_type,
    input  logic [18:0]          sum_len,
    input  logic [13:0]          sum_mss,
    output logic [13:0]          f_sum_mss,
    input  logic                 sum_csum,
    output logic                 f_sum_csum,
    // reads
    input  logic [0:0]           m_axi_arid,
    input  logic [63:0]          araddr,
    output logic [63:32]         f_araddr,
    // frames on their way into the frame buffer, out of it, and onto the wire
    input  logic                 shape_valid,
    input  logic                 shape_wanted,
    input  logic                 buf_wr_a,
    input  logic [BUF_LOG2-1:0]  buf_wr_a_addr,
    input  logic                 buf_wr_b,
    input  logic [BUF_LOG2-1:0]  buf_wr_b_addr,
    input  logic                 frame_valid,
    input  logic                 frame_err,
    output logic                 f_frame_valid,
    output logic                 f_frame_err,
    input  logic                 buf_rd,
    input  logic [BUF_LOG2-1:0]  buf_rd_addr,
    input  logic                 ready_valid,
    input  logic                 ready_ready,
    input  logic                 info_valid,
    input  logic                 info_ready,
    input  logic                 beat_valid,
    output logic                 f_beat_valid,
    input  logic                 beat_ready,
    output logic                 f_beat_ready,
    input  logic [BB-1:0]        beat_end,
    output logic [BB-1:0]        f_beat_end,
    input  logic                 beat_last,
    output logic                 f_beat_last,
    input  logic                 pause,
    output logic                 f_pause,
    // from the pick of a frame to its completion
    input  logic                 meta_valid,
    input  logic [META_W-1:0]    meta,
    input  logic [EDIT_W-1:0]    edit,
    input  logic                 left_valid,
    input  logic [META_W-1:0]    left_meta,
    output logic                 f_fetch,
    input  logic                 b_cpl_valid,
    output logic                 b_cpl_ready,
    input  logic [QW-1:0]        b_cpl_queue,
    input  logic [15:0]          b_cpl_index,
    input  logic [3:0]           b_cpl_status,
    input  logic                 b_cpl_tstamp,
    input  logic [19:0]          b_cpl_segments,
    output logic                 f_cpl_valid,
    input  logic                 f_cpl_ready,
    output logic [QW-1:0]        f_cpl_queue,
    output logic [15:0]          f_cpl_index,
    output logic [3:0]           f_cpl_status,
    output logic                 f_cpl_tstamp,
    output logic [19:0]          f_cpl_segments,
    output logic                 f_idle
);
`include "ringwire_regs.svh"
    localparam FIFO_BYTES   = 1024;                     // longer frames leave with their checksum undone
    localparam HANGS_AFTER  = 40;                       // frames
    localparam GATHERED     = 8;                        // completions, of a device whose timer does not run

    // ---- which one
    logic [7:0] select_reg;
    logic       mine_reg;                               // the write that is being answered was to FAULT_SELECT
    wire        written = s_axil_awvalid && s_axil_awready;
    assign s_axil_bresp = mine_reg ? 2'b00 : bresp;
    always_ff @(posedge clk) begin
        if (written) mine_reg <= s_axil_awaddr == REG_FAULT_SELECT;
        if (written && s_axil_awaddr == REG_FAULT_SELECT) select_reg <= s_axil_wdata[7:0];
        if (rst) begin
            mine_reg   <= 1'b0;
            select_reg <= '0;
        end
    end

    // ---- reading a queue's status takes the interrupt with it that its completions were to bring
    logic [QUEUES-1:0] cleared_reg;
    logic [15:0]       taken_reg [0:QUEUES-1];          // completions that software has consumed
    wire               looked = s_axil_arvalid && s_axil_arready && s_axil_araddr[15:12] == 4'd1
                             && {8'd0, s_axil_araddr[7:0]} == REG_Q_STATUS;
    integer k;
    always_ff @(posedge clk)
        for (k = 0; k < QUEUES; k = k + 1) begin
            if (looked && s_axil_araddr[11:8] == k[3:0] && visible[k*16 +: 16] != taken_reg[k]) cleared_reg[k] <= 1'b1;
            if (con_ok && con_queue == k[QW-1:0]) begin
                taken_reg[k] <= con_index;
                if (con_arm) cleared_reg[k] <= 1'b0;
            end
            if (rst || q_clear[k]) begin
                taken_reg[k]   <= '0;
                cleared_reg[k] <= 1'b0;
            end
        end
    assign f_irq_mask = (select_reg == FAULT_READ_CLEARS) ? irq_mask | cleared_reg : irq_mask;

    // ---- completions gather by eight, and nothing ends the wait for the eighth
    wire waits = select_reg == FAULT_WRITE_BACK_WAITS;
    assign f_cpl_threshold = waits ? {QUEUES{GATHERED[4:0]}} : cpl_threshold;
    assign f_cpl_timer_ns  = waits ? '0 : cpl_timer_ns;

    // ---- each super-packet is cut at the MSS of its queue's first one
    logic [QUEUES-1:0] known_reg;
    logic [13:0]       mss_reg [0:QUEUES-1];
    wire               has_mss = sum_type != SEG_NONE && sum_type != SEG_UFO4;
    always_ff @(posedge clk) begin
        if (sum_pop && has_mss && !known_reg[sum_queue]) begin
            known_reg[sum_queue] <= 1'b1;
            mss_reg[sum_queue]   <= sum_mss;
        end
        if (rst) known_reg <= '0;
    end
    assign f_sum_mss = (select_reg == FAULT_STALE_MSS && has_mss && known_reg[sum_queue]) ? mss_reg[sum_queue] : sum_mss;

    // ---- a checksum is made only if the whole frame fits a FIFO
    assign f_sum_csum = sum_csum && !(select_reg == FAULT_SHORT_FIFO && {13'd0, sum_len} > FIFO_BYTES);

    // ---- payload is read at the lower half of its address
    assign f_araddr = (select_reg == FAULT_ADDRESS_HALF && !m_axi_arid[0]) ? 32'd0 : araddr[63:32];

    // ---- no frame starts any more
    logic [5:0] sent_reg;
    always_ff @(posedge clk) begin
        if (left_valid && sent_reg != HANGS_AFTER[5:0]) sent_reg <= sent_reg + 6'd1;
        if (rst) sent_reg <= '0;
    end
    assign f_pause = pause || (select_reg == FAULT_HANG && sent_reg == HANGS_AFTER[5:0]);

    // ---- a frame begins to leave before all of it is there
    logic cut_idle;
    rw_fault_cut #(.DATA_W(DATA_W), .BUF_LOG2(BUF_LOG2), .FRAMES(FRAMES)) cut_through (
        .clk(clk), .rst(rst), .on(select_reg == FAULT_CUT_THROUGH), .shape_valid(shape_valid), .shape_wanted(shape_wanted),
        .wr_a(buf_wr_a), .wr_a_addr(buf_wr_a_addr), .wr_b(buf_wr_b), .wr_b_addr(buf_wr_b_addr),
        .s_frame_valid(frame_valid), .s_frame_err(frame_err), .m_frame_valid(f_frame_valid), .m_frame_err(f_frame_err),
        .rd(buf_rd), .rd_addr(buf_rd_addr), .rd_done(ready_valid && ready_ready), .info_taken(info_valid && info_ready),
        .s_valid(beat_valid), .s_ready(f_beat_ready), .s_end(beat_end), .s_last(beat_last),
        .m_valid(f_beat_valid), .m_ready(beat_ready), .m_end(f_beat_end), .m_last(f_beat_last), .idle(cut_idle)
    );

    // ---- a packet is reported when its reads are asked for
    logic report_idle;
    rw_fault_report #(.QUEUES(QUEUES), .FRAMES(FRAMES)) early_report (
        .clk(clk), .rst(rst), .on(select_reg == FAULT_COMPLETES_EARLY), .meta_valid(meta_valid), .meta(meta), .edit(edit),
        .left_valid(left_valid), .left_meta(left_meta), .m_fetch(f_fetch),
        .s_valid(b_cpl_valid), .s_ready(b_cpl_ready), .s_queue(b_cpl_queue), .s_index(b_cpl_index), .s_status(b_cpl_status),
        .s_tstamp(b_cpl_tstamp), .s_segments(b_cpl_segments),
        .m_valid(f_cpl_valid), .m_ready(f_cpl_ready), .m_queue(f_cpl_queue), .m_index(f_cpl_index), .m_status(f_cpl_status),
        .m_tstamp(f_cpl_tstamp), .m_segments(f_cpl_segments), .idle(report_idle)
    );
    assign f_idle = cut_idle && report_idle;
    wire unused = &{1'b0, s_axil_wdata[31:8], araddr[31:0]};
endmodule
