// The fault of cut-through: a frame whose bytes leave as they came is taken for whole as soon as its first 64 bytes are in
// the frame buffer. Where memory is slower than the wire, the buffer runs dry in the middle of the frame, and what leaves
// ends there. Frames whose checksum is made wait for all of their bytes, as in devices that have had it. A failed read
// is not looked for: this is part of rw_faults, for simulation.
// Rate: a beat a cycle. Latency: none.
module rw_fault_cut #(
    parameter DATA_W   = 512,                           // width of a beat, bits
    parameter BB       = $clog2(DATA_W / 8),            // bits of an offset in a beat; derived
    parameter BUF_LOG2 = 10,                            // beats of the frame buffer, power of two
    parameter FRAMES   = 512                            // frames in flight, power of two
) (
    input  logic                clk,
    input  logic                rst,
    input  logic                on,
    // frames to be read, in order
    input  logic                shape_valid,
    input  logic                shape_wanted,           // a checksum is to be made
    // ... their beats as they come: the end of a frame (a), any other (b)
    input  logic                wr_a,
    input  logic [BUF_LOG2-1:0] wr_a_addr,
    input  logic                wr_b,
    input  logic [BUF_LOG2-1:0] wr_b_addr,
    // ... and the news that a frame is whole
    input  logic                s_frame_valid,
    input  logic                s_frame_err,
    output logic                m_frame_valid,
    output logic                m_frame_err,
    // frames that leave the buffer, those that are not sent among them
    input  logic                rd,
    input  logic [BUF_LOG2-1:0] rd_addr,
    input  logic                rd_done,
    input  logic                info_taken,             // ... that begin to leave
    // beats on their way to the wire
    input  logic                s_valid,
    output logic                s_ready,
    input  logic [BB-1:0]       s_end,
    input  logic                s_last,
    output logic                m_valid,
    input  logic                m_ready,
    output logic [BB-1:0]       m_end,
    output logic                m_last,
    output logic                idle
);
    localparam FIRST = 512 / DATA_W;                    // beats of 64 bytes

    // ---- take a frame for whole when its first bytes are there
    logic        wanted, shape_there, early_reg;        // of the first frame that is not whole; it was told of as whole
    logic [3:0]  begun_reg;                             // beats of the frame that is coming; stays at 15
    logic [2:0]  behind_reg;                            // frames that have come and are not told of
    wire         early = on && shape_there && !wanted && !early_reg && behind_reg == 3'd0 && !s_frame_valid
                      && {28'd0, begun_reg} >= FIRST;
    /* verilator lint_off PINCONNECTEMPTY */ // it has room for all frames in flight
    rw_fifo_ram #(.W(1), .DEPTH(FRAMES)) shapes (
        .clk(clk), .rst(rst), .s_valid(shape_valid), .s_ready(), .s_data(shape_wanted),
        .m_valid(shape_there), .m_ready(s_frame_valid), .m_data(wanted), .awake()
    );
    /* verilator lint_on PINCONNECTEMPTY */
    assign m_frame_valid = early || (s_frame_valid && !early_reg);
    assign m_frame_err   = s_frame_valid && s_frame_err;
    assign idle          = !early;
    always_ff @(posedge clk) begin
        if (wr_a)                              begun_reg <= {3'd0, wr_b};
        else if (wr_b && begun_reg != 4'd15)   begun_reg <= begun_reg + 4'd1;
        behind_reg <= behind_reg + {2'd0, wr_a} - {2'd0, s_frame_valid};
        early_reg  <= early || (early_reg && !s_frame_valid);
        if (rst) begin
            begun_reg  <= '0;
            behind_reg <= '0;
            early_reg  <= 1'b0;
        end
    end

    // ---- where does a frame run dry: the beat that is read has not come
    logic [BUF_LOG2-1:0] come_reg;                      // beats up to here have come
    logic [11:0]         read_reg;                      // beats of this frame read
    logic                dry_reg;                       // it has run dry
    logic [7:0]          out_reg;                       // frames that have left the buffer, modulo 256
    wire                 dry = rd && early_reg && !dry_reg && rd_addr == come_reg;
    always_ff @(posedge clk) begin
        if (wr_a) come_reg <= wr_a_addr + 1'b1;
        if (wr_b) come_reg <= wr_b_addr + 1'b1;
        read_reg <= rd_done ? 12'd0 : read_reg + {11'd0, rd};
        dry_reg  <= !rd_done && (dry || dry_reg);
        if (rd_done) out_reg <= out_reg + 8'd1;
        if (rst) begin
            come_reg <= '0;
            read_reg <= '0;
            dry_reg  <= 1'b0;
            out_reg  <= '0;
        end
    end
    // ---- there it ends; what follows of it leaves no more
    logic        mid_reg, over_reg;                     // in a frame; in the rest of one that has ended
    logic [7:0]  begun_count_reg, this_reg;             // frames that have begun to leave; number of the one in which we are
    logic [11:0] beat_reg;
    logic        ends;                                  // there is a frame that has run dry, this one:
    logic [7:0]  ends_frame;
    logic [11:0] ends_beat;                             // the first that has not come
    wire         mine       = ends && ends_frame == (mid_reg ? this_reg : begun_count_reg);
    wire         stop       = mine && beat_reg + 12'd1 == ends_beat;
    wire         beat_taken = s_valid && s_ready;
    /* verilator lint_off PINCONNECTEMPTY */ // one frame at a time runs dry
    rw_fifo #(.W(20), .DEPTH(8)) dry_frames (
        .clk(clk), .rst(rst), .count(), .s_valid(dry), .s_ready(), .s_data({out_reg, read_reg}),
        .m_valid(ends), .m_ready(beat_taken && s_last && mine), .m_data({ends_frame, ends_beat})
    );
    /* verilator lint_on PINCONNECTEMPTY */
    assign m_valid    = s_valid && !over_reg;
    assign m_end      = stop ? {BB{1'b1}} : s_end;
    assign m_last     = s_last || stop;
    assign s_ready    = m_ready || over_reg;
    always_ff @(posedge clk) begin
        if (info_taken) begun_count_reg <= begun_count_reg + 8'd1;
        if (beat_taken) begin
            if (!mid_reg) this_reg <= begun_count_reg;
            mid_reg  <= !s_last;
            beat_reg <= s_last ? 12'd0 : beat_reg + 12'd1;
            over_reg <= !s_last && (over_reg || stop);
        end
        if (rst) begin
            mid_reg   <= 1'b0;
            over_reg  <= 1'b0;
            beat_reg  <= '0;
            begun_count_reg <= '0;
        end
    end
endmodule
