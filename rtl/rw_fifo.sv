// Small first-in first-out buffer in LUT RAM, word visible without asking (first-word fall-through).
// Rate: one word in and one out each cycle. Latency: 1 cycle.
`include "rw_check.svh"
module rw_fifo #(
    parameter W     = 32,              // width of a word, bits
    parameter DEPTH = 4                // words; a power of two, at least 2
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
    logic [AW:0]   wr_reg, rd_reg;             // one bit more than the address: tells full from empty

    assign count   = wr_reg - rd_reg;
    assign s_ready = !count[AW];
    assign m_valid = wr_reg != rd_reg;
    assign m_data  = mem[rd_reg[AW-1:0]];

    always_ff @(posedge clk) begin
        if (s_valid && s_ready) begin
            mem[wr_reg[AW-1:0]] <= s_data;
            wr_reg <= wr_reg + 1'b1;
        end
        if (m_valid && m_ready) rd_reg <= rd_reg + 1'b1;
        if (rst) begin
            wr_reg <= '0;
            rd_reg <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(fifo_never_holds_more_than_depth, count <= DEPTH[AW:0])
    end
endmodule
