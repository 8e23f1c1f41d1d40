// Frame checksum: sums the 16-bit words (RFC 1071) of a frame's bytes on their way into the frame buffer, and tells the sum
// when the last beat has passed. A byte's place in its beat says which half of a word it is, those that don't count are 0.
// Rate: a beat a cycle. Latency: 3 cycles after the last beat.
module rw_frame_sum #(
    parameter DATA_W = 512                              // width of a beat, bits
) (
    input  logic              clk,
    input  logic              rst,
    input  logic              s_valid,
    input  logic [DATA_W-1:0] s_data,
    input  logic              s_odd,                    // words begin at odd places
    input  logic              s_last,
    input  logic              s_err,
    output logic              m_valid,                  // the frame has passed
    output logic              m_err,
    output logic [15:0]       m_sum,                    // one's complement; 0 only if all that counts is zero
    output logic              idle
);
    localparam GROUPS = DATA_W / 64;                    // of four words each
    localparam W      = 19 + $clog2(GROUPS);            // bits of the sum of all, and of 17 bits

    // ---- stage 1: the sum of each group
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
    logic [W-1:0] all;
    integer h;
    always @* begin
        all = {{(W-17){1'b0}}, total_reg};
        for (h = 0; h < GROUPS; h = h + 1) all = all + {{(W-18){1'b0}}, a_sums_reg[h*18 +: 18]};
    end
    logic        b_valid_reg, b_err_reg, b_odd_reg;
    logic [16:0] b_sum_reg;

    // ---- stage 3: 16 bits, in the order of the frame's words
    wire [16:0] folded = {1'b0, all[15:0]} + {{(33-W){1'b0}}, all[W-1:16]};
    wire [15:0] word   = b_sum_reg[15:0] + {15'd0, b_sum_reg[16]};

    assign idle = !s_valid && !a_valid_reg && !b_valid_reg && !m_valid;

    always_ff @(posedge clk) begin
        a_valid_reg <= s_valid;
        a_last_reg  <= s_last;
        a_err_reg   <= s_err;
        a_odd_reg   <= s_odd;
        a_sums_reg  <= sums(s_data);
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
