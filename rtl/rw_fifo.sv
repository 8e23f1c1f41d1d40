// Small first-in first-out buffer in LUT RAM, word visible without asking (first-word fall-through). A register behind the
// RAM holds the oldest word, so that no RAM is in front of what follows.
// Rate: one word in and one out each cycle. Latency: 1 cycle. Capacity: DEPTH + 1 words.
`include "rw_check.svh"
module rw_fifo #(
    parameter W     = 32,              // width of a word, bits
    parameter DEPTH = 4                // words of RAM; a power of two, at least 2
) (
    input  logic                     clk,
    input  logic                     rst,
    input  logic                     s_valid,
    output logic                     s_ready,
    input  logic [W-1:0]             s_data,
    output logic                     m_valid,
    input  logic                     m_ready,
    output logic [W-1:0]             m_data,
    output logic [$clog2(DEPTH):0]   count     // words inside
);
    localparam AW = $clog2(DEPTH);

    logic [W-1:0]  mem [0:DEPTH-1];
    logic [AW:0]   wr_reg, rd_reg;             // words that went into the RAM and came out, modulo 2 * DEPTH
    logic [AW:0]   count_reg;                  // words inside: kept, so that no sum is in front of s_ready
    logic          valid_reg;
    logic [W-1:0]  out_reg;                    // the oldest word

    wire        empty  = count_reg[AW:1] == '0; // the RAM is: a single word is in the register
    wire        put    = s_valid && s_ready;
    wire        take   = valid_reg && m_ready;
    wire        free   = !valid_reg || m_ready;

    assign count   = count_reg;
    assign s_ready = !(count_reg[AW] && count_reg[0]); // below DEPTH + 1
    assign m_valid = valid_reg;
    assign m_data  = out_reg;

    always_ff @(posedge clk) begin
        if (put) begin
            mem[wr_reg[AW-1:0]] <= s_data;
            wr_reg <= wr_reg + 1'b1;
        end
        if (free) begin
            valid_reg <= put || !empty;
            out_reg   <= empty ? s_data : mem[rd_reg[AW-1:0]];
            if (put || !empty) rd_reg <= rd_reg + 1'b1;
        end
        if (put != take) count_reg <= put ? count_reg + 1'b1 : count_reg - 1'b1;
        if (rst) begin
            valid_reg <= 1'b0;
            count_reg <= '0;
            wr_reg    <= '0;
            rd_reg    <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(fifo_counts_what_it_holds, count_reg == wr_reg - rd_reg + {{AW{1'b0}}, valid_reg})
        `RW_CHECK(fifo_never_holds_more_than_depth, wr_reg - rd_reg <= DEPTH[AW:0])
        `RW_CHECK(fifo_has_its_oldest_word_in_the_register, valid_reg == (count_reg != '0))
    end
endmodule
