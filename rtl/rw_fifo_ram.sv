// Deep first-in first-out buffer in block RAM, first-word fall-through, with a bypass round the RAM when it is empty.
// Rate: one word in and one out each cycle. Latency: 1 cycle when empty. Capacity: DEPTH + 1 words.
`include "rw_check.svh"
module rw_fifo_ram #(
    parameter W     = 32,              // width of a word, bits
    parameter DEPTH = 512              // words of RAM; a power of two
) (
    input  logic         clk,
    input  logic         rst,
    input  logic         s_valid,
    output logic         s_ready,
    input  logic [W-1:0] s_data,
    output logic         m_valid,
    input  logic         m_ready,
    output logic [W-1:0] m_data
);
    localparam AW = $clog2(DEPTH);

    logic [W-1:0] mem [0:DEPTH-1];
    logic [AW:0]  wr_reg, rd_reg;
    logic [W-1:0] ram_reg, bypass_reg;         // the RAM's own output register, and the word that went round it
    logic         valid_reg, use_bypass_reg;

    wire ram_empty = wr_reg == rd_reg;
    wire advance   = !valid_reg || m_ready;
    wire bypass    = s_valid && s_ready && ram_empty && advance;
    wire [AW:0] used = wr_reg - rd_reg;

    assign s_ready = !used[AW];
    assign m_valid = valid_reg;
    assign m_data  = use_bypass_reg ? bypass_reg : ram_reg;

    always_ff @(posedge clk) begin
        if (s_valid && s_ready && !bypass) begin
            mem[wr_reg[AW-1:0]] <= s_data;
            wr_reg <= wr_reg + 1'b1;
        end
        if (advance) begin
            valid_reg      <= bypass || !ram_empty;
            use_bypass_reg <= ram_empty;
            if (!ram_empty) begin
                ram_reg <= mem[rd_reg[AW-1:0]];
                rd_reg  <= rd_reg + 1'b1;
            end
        end
        if (bypass) bypass_reg <= s_data;
        if (rst) begin
            wr_reg    <= '0;
            rd_reg    <= '0;
            valid_reg <= 1'b0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(fifo_never_holds_more_than_depth, used <= DEPTH[AW:0])
    end
endmodule
