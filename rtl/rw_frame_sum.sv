// Frame checksum: sums the 16-bit words (RFC 1071) of a frame's bytes on their way into the frame buffer, from a given byte
// of the frame on, and tells the sum when the last beat has passed. The bytes of a beat come turned to their places in the
// frame's beats: from `fill` up those of beat `number`, below, if it overflows, those of the next one.
// Rate: a beat a cycle. Latency: 3 cycles after the last beat.
module rw_frame_sum #(
    parameter DATA_W = 512,                             // width of a beat, bits
    parameter BB     = $clog2(DATA_W / 8)               // bits of an offset in a beat; derived
) (
    input  logic              clk,
    input  logic              rst,
    input  logic              s_valid,
    input  logic              s_wanted,                 // else the sum is 0
    input  logic [DATA_W-1:0] s_data,
    input  logic [DATA_W-1:0] s_from_fill,              // the places from `fill` up
    input  logic [DATA_W-1:0] s_from_rest,              // the places behind the last byte: in the next beat if it overflows
    input  logic              s_over,
    input  logic [5:0]        s_number,                 // stays at 63
    input  logic [8:0]        s_from,                   // first byte that counts
    input  logic              s_last,
    input  logic              s_err,
    output logic              m_valid,                  // the frame has passed
    output logic              m_err,
    output logic [15:0]       m_sum,                    // one's complement; 0 only if all that counts is zero
    output logic              idle
);
    localparam BYTES  = DATA_W / 8;
    localparam GROUPS = DATA_W / 64;                    // of four words each

    // ---- stage 1: which bytes count, and the sum of each group
    wire [12:0] at   = {1'b0, s_number, 6'd0} >> (6 - BB);  // of the beat in its frame
    wire [12:0] next = at + BYTES[12:0];
    wire [8:0]  ahead      = ({4'd0, s_from} > at)   ? s_from - at[8:0]   : 9'd0;
    wire [8:0]  ahead_next = ({4'd0, s_from} > next) ? s_from - next[8:0] : 9'd0;
    localparam [DATA_W-1:0] ALL = {DATA_W{1'b1}};
    function automatic [DATA_W-1:0] counted(input [DATA_W-1:0] data, input [DATA_W-1:0] from_fill,
                                            input [DATA_W-1:0] from_rest, input over, input [8:0] skip,
                                            input [8:0] skip_next);
        counted = data & from_fill & (over ? ALL : ~from_rest) & (ALL << {skip, 3'd0});
        if (over) counted = counted | (data & ~from_fill & ~from_rest & (ALL << {skip_next, 3'd0}));
    endfunction
    function automatic [GROUPS*18-1:0] sums(input [DATA_W-1:0] data);
        integer g;
        for (g = 0; g < GROUPS; g = g + 1)
            sums[g*18 +: 18] = {2'd0, data[g*64      +: 8], data[g*64 +  8 +: 8]}
                             + {2'd0, data[g*64 + 16 +: 8], data[g*64 + 24 +: 8]}
                             + {2'd0, data[g*64 + 32 +: 8], data[g*64 + 40 +: 8]}
                             + {2'd0, data[g*64 + 48 +: 8], data[g*64 + 56 +: 8]};
    endfunction
    logic                 a_valid_reg, a_last_reg, a_err_reg, a_odd_reg;
    logic [GROUPS*18-1:0] a_sums_reg;

    // ---- stage 2: all together, and what came before
    logic [16:0] total_reg;
    logic [21:0] all;
    integer h;
    always_comb begin
        all = {5'd0, total_reg};
        for (h = 0; h < GROUPS; h = h + 1) all = all + {4'd0, a_sums_reg[h*18 +: 18]};
    end
    logic        b_valid_reg, b_err_reg, b_odd_reg;
    logic [16:0] b_sum_reg;

    // ---- stage 3: 16 bits, in the order of the frame's words
    wire [16:0] folded = {1'b0, all[15:0]} + {11'd0, all[21:16]};
    wire [15:0] word   = b_sum_reg[15:0] + {15'd0, b_sum_reg[16]};

    assign idle = !s_valid && !a_valid_reg && !b_valid_reg && !m_valid;

    always_ff @(posedge clk) begin
        a_valid_reg <= s_valid;
        a_last_reg  <= s_last;
        a_err_reg   <= s_err;
        a_odd_reg   <= s_from[0];
        if (s_valid && s_wanted)
            a_sums_reg <= sums(counted(s_data, s_from_fill, s_from_rest, s_over, ahead, ahead_next));
        else
            a_sums_reg <= '0;
        if (a_valid_reg) total_reg <= a_last_reg ? 17'd0 : folded;
        b_valid_reg <= a_valid_reg && a_last_reg;
        b_err_reg   <= a_err_reg;
        b_odd_reg   <= a_odd_reg;
        b_sum_reg   <= folded;
        m_valid     <= b_valid_reg;
        m_err       <= b_err_reg;
        m_sum       <= b_odd_reg ? {word[7:0], word[15:8]} : word;
        if (rst) begin
            a_valid_reg <= 1'b0;
            b_valid_reg <= 1'b0;
            m_valid     <= 1'b0;
            total_reg   <= '0;
        end
    end
endmodule
