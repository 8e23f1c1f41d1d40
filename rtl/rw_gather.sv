// Gatherer: packs the bytes of a frame's fragments, wherever they begin and end in their beats, into whole beats of the
// frame buffer. It is always one beat behind: what is packed stays in `carry` until more comes or the frame ends, so
// that each cycle takes one beat in and puts at most one out, also where fragments and frames meet.
// The first segment of a packet that is cut brings the header, whose bytes go to a header slot; the bytes of the others
// begin in their first beat where the header will end there.
// Two beats are written in one cycle where the end of a frame is carried while the next one's first beat overflows.
// Rate: a beat a cycle, without bubbles; it never holds the bus up. Latency: 3 cycles, 4 for a frame's last beat.
`include "rw_check.svh"
`include "rw_widths.svh"
module rw_gather #(
    parameter DATA_W   = 512,                           // width of a beat, bits
    parameter BB       = $clog2(DATA_W / 8),            // bits of an offset in a beat; derived
    parameter BUF_LOG2 = 10,                            // beats of the frame buffer, power of two
    parameter FRAMES   = 512,                           // frames in flight
    parameter SLOT_W   = `RW_SLOT_W,                    // bits of a header slot's number
    parameter ROW_W    = SLOT_W + 8 - BB                // bits of a row of the header slots; derived
) (
    input  logic                clk,
    input  logic                rst,
    // what each payload burst brings
    input  logic                s_burst_valid,
    output logic                s_burst_ready,
    input  logic [BB-1:0]       s_burst_offset,
    input  logic [BB:0]         s_burst_len,            // bytes, modulo two beats: the last beat's can be told
    input  logic                s_burst_first,
    input  logic                s_burst_last,
    // the frame's shape, once for each frame that is read
    input  logic                s_shape_valid,
    input  logic [BB-1:1]       s_shape_fill,           // word of the first beat where its bytes begin
    input  logic [7:0]          s_shape_header,         // words of 16 bits that go to the header slot
    input  logic                s_shape_wanted,         // a checksum is to be made
    input  logic [8:0]          s_shape_sum,            // ... from this byte on
    input  logic [SLOT_W-1:0]   s_shape_slot,
    // payload beats
    input  logic                r_valid,
    input  logic [DATA_W-1:0]   r_data,
    input  logic                r_err,
    input  logic                r_last,
    // frame buffer: the end of a frame (a), any other beat (b)
    output logic                wr_a_en,
    output logic [BUF_LOG2-1:0] wr_a_addr,
    output logic [DATA_W-1:0]   wr_a_data,
    output logic                wr_b_en,
    output logic [BUF_LOG2-1:0] wr_b_addr,
    output logic [DATA_W-1:0]   wr_b_data,
    // header slots
    output logic                header_en,
    output logic [ROW_W-1:0]    header_row,
    output logic [DATA_W-1:0]   header_data,
    output logic                header_last,            // the header is there, whole
    output logic [SLOT_W-1:0]   header_slot,
    // a frame is complete
    output logic                m_frame_valid,
    output logic                m_frame_err,            // a read failed: its beats are taken back
    output logic [15:0]         m_frame_sum,
    output logic                idle,
    output logic                awake
);
    localparam BYTES = DATA_W / 8;

    logic          burst_valid, burst_first, burst_last, shape_valid, bursts_awake, shapes_awake;
    logic [BB-1:0] burst_offset;
    logic [BB:0]   burst_len;
    rw_fifo_ram #(.W(2 * BB + 3), .DEPTH(512)) bursts (
        .clk(clk), .rst(rst),
        .s_valid(s_burst_valid), .s_ready(s_burst_ready),
        .s_data({s_burst_offset, s_burst_len, s_burst_first, s_burst_last}),
        .m_valid(burst_valid), .m_ready(r_valid && r_last),
        .m_data({burst_offset, burst_len, burst_first, burst_last}), .awake(bursts_awake)
    );
    localparam H_HEADER = BB - 1, H_SUM = H_HEADER + 8, H_WANTED = H_SUM + 9, H_SLOT = H_WANTED + 1, HW = H_SLOT + SLOT_W;
    logic [HW-1:0] shape, a_shape_reg, b_shape_reg, tail_shape_reg;

    // ---- stage 1: which bytes of the beat count, and where they go
    logic          inside_reg;                          // between a burst's first and last beat
    logic [BB:0]   left_reg;                            // bytes of the burst still to come, modulo two beats
    logic [BB:0]   fill_reg;                            // bytes in carry once all taken so far has been packed
    wire  [BB:0]   left   = inside_reg ? left_reg : burst_len;
    wire  [BB-1:0] offset = inside_reg ? {BB{1'b0}} : burst_offset;
    wire  [BB:0]   can    = BYTES[BB:0] - {1'b0, offset};
    wire  [BB:0]   bytes  = r_last ? left : can;  // a burst ends with its last byte
    wire           first  = burst_first && !inside_reg;
    wire           last   = burst_last && r_last;
    wire  [BB:0]   fill   = first ? {1'b0, shape[BB-2:0], 1'b0} : fill_reg;
    wire  [BB+1:0] total  = {1'b0, fill} + {1'b0, bytes};
    wire           some   = total[BB-1:0] != '0;
    wire           over   = total[BB+1] || (total[BB] && some);     // more than a beat
    wire  [BB:0]   rest   = {!some && (total[BB] || total[BB+1]), total[BB-1:0]};

    /* verilator lint_off PINCONNECTEMPTY */ // it has room for all frames in flight, and a shape before a frame's beats
    rw_fifo_ram #(.W(HW), .DEPTH(FRAMES)) shapes (
        .clk(clk), .rst(rst), .s_valid(s_shape_valid), .s_ready(),
        .s_data({s_shape_slot, s_shape_wanted, s_shape_sum, s_shape_header, s_shape_fill}),
        .m_valid(shape_valid), .m_ready(r_valid && last), .m_data(shape), .awake(shapes_awake)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    logic              a_valid_reg, a_first_reg, a_last_reg, a_over_reg, a_err_reg;
    logic [BB-1:0]     a_turn_reg;                      // bytes to rotate right by
    logic [BB:0]       a_fill_reg, a_rest_reg;
    logic [DATA_W-1:0] a_data_reg;

    // ---- stage 2: rotate, by 1, 2, 4 ... bytes in turn: half of what two shifts would take
    logic [DATA_W-1:0] turned;
    integer t;
    always @* begin
        turned = a_data_reg;
        for (t = 0; t < BB; t = t + 1)
            if (a_turn_reg[t]) turned = (turned >> (8 << t)) | (turned << (DATA_W - (8 << t)));
    end
    logic              b_valid_reg, b_first_reg, b_last_reg, b_over_reg, b_err_reg;
    logic [DATA_W-1:0] b_data_reg;

    // which places are which: those of bytes that came before are below the fill
    localparam [DATA_W-1:0] ALL = {DATA_W{1'b1}};
    wire  [DATA_W-1:0] from_fill = ALL << {a_fill_reg, 3'd0};
    wire  [DATA_W-1:0] from_rest = ALL << {a_rest_reg, 3'd0};       // of the next beat if this one overflows
    wire  [DATA_W-1:0] here = from_fill & (a_over_reg ? ALL : ~from_rest);      // bytes of the frame's beat at hand,
    wire  [DATA_W-1:0] next = a_over_reg ? ~from_fill & ~from_rest : '0;        // ... and of the one behind it
    logic [8:0]        skip_reg;                        // bytes from the beat's first one on that the checksum leaves out
    wire  [8:0]        skip      = a_first_reg ? a_shape_reg[H_SUM +: 9] : skip_reg;
    wire  [8-BB:0]     skip_beats = skip[8:BB];
    wire  [DATA_W-1:0] from_skip = ALL << {skip[BB-1:0], 3'd0};
    logic [DATA_W-1:0] b_from_fill_reg, b_from_rest_reg, b_counts_reg;

    // ---- stage 3: merge with what is carried
    logic [DATA_W-1:0] carry_reg, merged, kept;
    logic              tail_reg;                        // carry holds a frame's last bytes
    logic              bad_reg, tail_bad_reg;           // a read of this frame, of the ended frame, has failed
    logic [BUF_LOG2-1:0] addr_reg, start_reg;           // next beat to write; first beat of this frame

    // the beat that is full: carried bytes below, new ones above
    assign merged = (b_data_reg & b_from_fill_reg) | (b_first_reg ? {DATA_W{1'b0}} : carry_reg);
    // what stays: new bytes that did not fit, or all together; zero beyond them
    assign kept   = (b_over_reg ? b_data_reg : merged) & ~b_from_rest_reg;

    // ---- out: into the frame buffer what is not all header, into the header slot what is not all payload
    logic [5:0]  number_reg;                            // of the next beat in its frame; stays at 63
    wire         body     = b_valid_reg && b_over_reg;
    wire [5:0]   number   = tail_reg ? 6'd0 : number_reg;
    // words of 16 bits
    localparam WORDS = BYTES / 2;
    wire [11:0]  header_a_len = {4'd0, tail_shape_reg[H_HEADER +: 8]};
    wire [11:0]  header_b_len = {4'd0, b_shape_reg[H_HEADER +: 8]};
    wire [11:0]  begins_a = {1'b0, number_reg, 5'd0} >> (6 - BB);
    wire [11:0]  begins_b = {1'b0, number, 5'd0} >> (6 - BB);
    wire         header_a = tail_reg && begins_a < header_a_len;
    wire         header_b = body && begins_b < header_b_len;
    wire         unused   = &{1'b0, b_shape_reg[H_WANTED:H_SUM+1], b_shape_reg[BB-2:0], tail_shape_reg[H_WANTED:H_SUM],
                              tail_shape_reg[BB-2:0]};
    assign wr_a_en   = tail_reg && !tail_bad_reg;       // there is payload in a frame's end
    assign wr_a_addr = addr_reg;
    assign wr_a_data = carry_reg;
    assign wr_b_en   = body && begins_b + WORDS[11:0] > header_b_len;
    assign wr_b_addr = !tail_reg ? addr_reg : tail_bad_reg ? start_reg : addr_reg + 1'b1;
    assign wr_b_data = merged;
    assign header_en   = header_a || header_b;
    assign header_slot = header_a ? tail_shape_reg[H_SLOT +: SLOT_W] : b_shape_reg[H_SLOT +: SLOT_W];
    assign header_row  = {header_slot, header_a ? number_reg[7-BB:0] : number[7-BB:0]};
    assign header_data = header_a ? carry_reg : merged;
    assign header_last = header_a ? begins_a + WORDS[11:0] >= header_a_len
                                  : header_b && begins_b + WORDS[11:0] >= header_b_len;
    wire  bad_now = b_err_reg || (bad_reg && !b_first_reg);
    logic sum_idle;
    rw_frame_sum #(.DATA_W(DATA_W)) sum (
        .clk(clk), .rst(rst), .s_valid(b_valid_reg), .s_data(b_data_reg & b_counts_reg),
        .s_odd(b_shape_reg[H_SUM]), .s_last(b_last_reg), .s_err(bad_now),
        .m_valid(m_frame_valid), .m_err(m_frame_err), .m_sum(m_frame_sum), .idle(sum_idle)
    );
    assign idle = !r_valid && !a_valid_reg && !b_valid_reg && !tail_reg && sum_idle;
    assign awake = !idle || bursts_awake || shapes_awake;

    always_ff @(posedge clk) begin
        a_valid_reg <= r_valid;
        if (r_valid) begin
            a_shape_reg <= shape;
            inside_reg  <= !r_last;
            left_reg    <= left - bytes;
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
            b_shape_reg <= a_shape_reg;
            b_data_reg  <= turned;
            b_first_reg <= a_first_reg;
            b_last_reg  <= a_last_reg;
            b_over_reg  <= a_over_reg;
            b_err_reg   <= a_err_reg;
            b_from_fill_reg <= from_fill;
            b_from_rest_reg <= from_rest;
            b_counts_reg    <= !a_shape_reg[H_WANTED] ? '0 : (skip_beats == '0) ? (here & from_skip) | next
                             : (skip_beats == 1) ? next & from_skip : '0;
            skip_reg        <= !a_over_reg ? skip : (skip_beats == '0) ? 9'd0 : skip - BYTES[8:0];
        end
        tail_reg <= b_valid_reg && b_last_reg;
        if (b_valid_reg) begin
            carry_reg    <= kept;
            bad_reg      <= bad_now;
            tail_bad_reg <= bad_now;
            tail_shape_reg <= b_shape_reg;
        end
        addr_reg <= wr_b_addr + {{(BUF_LOG2-1){1'b0}}, wr_b_en};
        if (body)          number_reg <= (number == 6'd63) ? 6'd63 : number + 6'd1;
        else if (tail_reg) number_reg <= '0;
        if (tail_reg && !tail_bad_reg) start_reg <= addr_reg + 1'b1;
        if (rst) begin
            inside_reg  <= 1'b0;
            fill_reg    <= '0;
            a_valid_reg <= 1'b0;
            b_valid_reg <= 1'b0;
            tail_reg    <= 1'b0;
            bad_reg     <= 1'b0;
            addr_reg    <= '0;
            start_reg   <= '0;
            number_reg  <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(beat_belongs_to_a_burst, !r_valid || burst_valid)
        `RW_CHECK(beat_belongs_to_a_frame, !r_valid || shape_valid)
        `RW_CHECK(burst_ends_with_its_last_byte, !r_valid || !r_last || (left != '0 && left <= can))
        `RW_CHECK(nothing_is_carried_beyond_the_fill, !b_valid_reg || b_first_reg || (carry_reg & b_from_fill_reg) == '0)
        `RW_CHECK(only_a_new_frame_follows_a_tail, !(tail_reg && b_valid_reg) || b_first_reg)
        `RW_CHECK(beats_written_together_are_neighbours, !(wr_a_en && wr_b_en) || wr_a_addr[0] != wr_b_addr[0])
        `RW_CHECK(one_header_comes_at_a_time, !(header_a && header_b))
    end
endmodule
