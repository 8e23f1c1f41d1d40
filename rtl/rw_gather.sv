// Gatherer: packs the bytes of a frame's fragments, wherever they begin and end in their beats, into whole beats of the
// frame buffer. It is always one beat behind: what is packed stays in `carry` until more comes or the frame ends, so
// that each cycle takes one beat in and puts at most one out, also where fragments and frames meet.
// Rate: a beat a cycle, without bubbles; it never holds the bus up. Latency: 3 cycles, 4 for a frame's last beat.
`include "rw_check.svh"
module rw_gather #(
    parameter DATA_W   = 512,                           // width of a beat, bits
    parameter BB       = $clog2(DATA_W / 8),            // bits of an offset in a beat; derived
    parameter BUF_LOG2 = 10                             // beats of the frame buffer, power of two
) (
    input  logic                clk,
    input  logic                rst,
    // what each payload burst brings
    input  logic                s_burst_valid,
    output logic                s_burst_ready,
    input  logic [BB-1:0]       s_burst_offset,
    input  logic [12:0]         s_burst_len,
    input  logic                s_burst_first,
    input  logic                s_burst_last,
    // payload beats
    input  logic                r_valid,
    input  logic [DATA_W-1:0]   r_data,
    input  logic                r_err,
    input  logic                r_last,
    // frame buffer
    output logic                wr_en,
    output logic [BUF_LOG2-1:0] wr_addr,
    output logic [DATA_W-1:0]   wr_data,
    // a frame is complete
    output logic                m_frame_valid,
    output logic                m_frame_err,            // a read failed: its beats are taken back
    output logic                idle
);
    localparam BYTES = DATA_W / 8;

    logic          burst_valid, burst_first, burst_last;
    logic [BB-1:0] burst_offset;
    logic [12:0]   burst_len;
    rw_fifo_ram #(.W(BB + 15), .DEPTH(512)) bursts (
        .clk(clk), .rst(rst),
        .s_valid(s_burst_valid), .s_ready(s_burst_ready),
        .s_data({s_burst_offset, s_burst_len, s_burst_first, s_burst_last}),
        .m_valid(burst_valid), .m_ready(r_valid && r_last),
        .m_data({burst_offset, burst_len, burst_first, burst_last})
    );

    // ---- stage 1: which bytes of the beat count, and where they go
    logic          inside_reg;                          // between a burst's first and last beat
    logic [12:0]   left_reg;                            // bytes of the burst still to come
    logic [BB:0]   fill_reg;                            // bytes in carry once all taken so far has been packed
    wire  [12:0]   left   = inside_reg ? left_reg : burst_len;
    wire  [BB-1:0] offset = inside_reg ? {BB{1'b0}} : burst_offset;
    wire  [BB:0]   can    = BYTES[BB:0] - {1'b0, offset};
    wire  [BB:0]   bytes  = (left < {{(12-BB){1'b0}}, can}) ? left[BB:0] : can;
    wire           first  = burst_first && !inside_reg;
    wire           last   = burst_last && r_last;
    wire  [BB:0]   fill   = first ? {(BB+1){1'b0}} : fill_reg;
    wire  [BB+1:0] total  = {1'b0, fill} + {1'b0, bytes};
    wire           over   = total > {1'b0, BYTES[BB:0]};
    wire  [BB:0]   rest   = over ? total[BB:0] - BYTES[BB:0] : total[BB:0];

    logic              a_valid_reg, a_first_reg, a_last_reg, a_over_reg, a_err_reg;
    logic [BB-1:0]     a_turn_reg;                      // bytes to rotate right by
    logic [BB:0]       a_fill_reg, a_rest_reg;
    logic [DATA_W-1:0] a_data_reg;

    // ---- stage 2: rotate
    logic              b_valid_reg, b_first_reg, b_last_reg, b_over_reg, b_err_reg;
    logic [BB:0]       b_fill_reg, b_rest_reg;
    logic [DATA_W-1:0] b_data_reg;

    // ---- stage 3: merge with what is carried
    logic [DATA_W-1:0] carry_reg, merged, kept;
    logic              tail_reg;                        // carry holds a frame's last bytes
    logic              bad_reg, tail_bad_reg;           // a read of this frame, of the ended frame, has failed
    logic [BUF_LOG2-1:0] addr_reg, start_reg;           // next beat to write; first beat of this frame

    integer i;
    always_comb begin
        for (i = 0; i < BYTES; i = i + 1) begin
            // the beat that is full: carried bytes below, new ones above
            merged[i*8 +: 8] = (i[BB:0] < b_fill_reg) ? carry_reg[i*8 +: 8] : b_data_reg[i*8 +: 8];
            // what stays: new bytes that did not fit, or all together; zero beyond them
            kept[i*8 +: 8] = (i[BB:0] >= b_rest_reg) ? 8'd0
                           : b_over_reg ? b_data_reg[i*8 +: 8] : merged[i*8 +: 8];
        end
    end

    assign wr_en   = tail_reg || (b_valid_reg && b_over_reg);
    assign wr_addr = addr_reg;
    assign wr_data = tail_reg ? carry_reg : merged;
    assign m_frame_valid = tail_reg;
    assign m_frame_err   = tail_bad_reg;
    assign idle = !r_valid && !a_valid_reg && !b_valid_reg && !tail_reg;

    wire bad_now = b_err_reg || (bad_reg && !b_first_reg);
    always_ff @(posedge clk) begin
        a_valid_reg <= r_valid;
        if (r_valid) begin
            inside_reg  <= !r_last;
            left_reg    <= left - {{(12-BB){1'b0}}, bytes};
            fill_reg    <= rest;
            a_data_reg  <= r_data;
            a_first_reg <= first;
            a_last_reg  <= last;
            a_over_reg  <= over;
            a_err_reg   <= r_err;
            a_turn_reg  <= offset - fill[BB-1:0];
            a_fill_reg  <= fill;
            a_rest_reg  <= rest;
        end
        b_valid_reg <= a_valid_reg;
        if (a_valid_reg) begin
            b_data_reg  <= (a_data_reg >> {a_turn_reg, 3'd0})
                         | (a_data_reg << {BYTES[BB:0] - {1'b0, a_turn_reg}, 3'd0});
            b_first_reg <= a_first_reg;
            b_last_reg  <= a_last_reg;
            b_over_reg  <= a_over_reg;
            b_err_reg   <= a_err_reg;
            b_fill_reg  <= a_fill_reg;
            b_rest_reg  <= a_rest_reg;
        end
        tail_reg <= b_valid_reg && b_last_reg;
        if (b_valid_reg) begin
            carry_reg    <= kept;
            bad_reg      <= bad_now;
            tail_bad_reg <= bad_now;
        end
        if (wr_en) addr_reg <= addr_reg + 1'b1;
        if (tail_reg) begin
            if (tail_bad_reg) addr_reg  <= start_reg;
            else              start_reg <= addr_reg + 1'b1;
        end
        if (rst) begin
            inside_reg  <= 1'b0;
            fill_reg    <= '0;
            a_valid_reg <= 1'b0;
            b_valid_reg <= 1'b0;
            tail_reg    <= 1'b0;
            bad_reg     <= 1'b0;
            addr_reg    <= '0;
            start_reg   <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(beat_belongs_to_a_burst, !r_valid || burst_valid)
        `RW_CHECK(burst_ends_with_its_last_byte, !r_valid || r_last == (left == {{(12-BB){1'b0}}, bytes}))
        `RW_CHECK(only_a_new_frame_follows_a_tail, !(tail_reg && b_valid_reg) || b_first_reg)
        `RW_CHECK(a_frames_first_beat_fits, !(b_valid_reg && b_first_reg) || !b_over_reg)
    end
endmodule
