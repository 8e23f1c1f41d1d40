// Deep first-in first-out buffer in block RAM, first-word fall-through. Two registers behind the RAM hold the oldest words,
// so that no RAM's access time is in front of what follows; words go round the RAM while there is room in them.
// Rate: one word in and one out each cycle. Latency: 1 cycle when empty. Capacity: DEPTH + 2 words at least.
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
    output logic [W-1:0] m_data,
    output logic         awake
);
    localparam AW = $clog2(DEPTH);

    (* no_rw_check *) logic [W-1:0] mem [0:DEPTH-1]; // never read where it is written
    logic [AW:0]  wr_reg, rd_reg;
    logic         some_reg, full_reg;          // the RAM is not empty, is full: known without a sum
    logic [W-1:0] ram_reg;                     // the RAM's own output register
    logic         ram_valid_reg;               // it has a word, which goes on in this cycle
    logic [W-1:0] out_reg, next_reg;           // the oldest words
    logic [1:0]   out_count_reg;

    wire [AW:0] used      = wr_reg - rd_reg;
    wire        take      = m_valid && m_ready;
    wire        put       = s_valid && s_ready;
    wire        stays     = take ? out_count_reg[1] : out_count_reg != 2'd0;   // a word in out_reg, as seen after `take`
    wire        both_stay = !take && out_count_reg[1];
    wire        room      = !both_stay && !(stays && ram_valid_reg);
    wire        direct    = put && !some_reg && room;
    wire        into_ram  = put && !direct;
    wire        fetch     = some_reg && room;

    assign s_ready = !full_reg;
    assign m_valid = out_count_reg != 2'd0;
    assign m_data  = out_reg;

    assign awake = s_valid || take || ram_valid_reg || fetch;
    always_ff @(posedge clk) begin
        if (into_ram) begin
            mem[wr_reg[AW-1:0]] <= s_data;
            wr_reg <= wr_reg + 1'b1;
        end
        if (fetch) begin
            ram_reg <= mem[rd_reg[AW-1:0]];
            rd_reg  <= rd_reg + 1'b1;
        end
        if (into_ram != fetch) begin
            some_reg <= into_ram || used != 1;
            full_reg <= into_ram && used == DEPTH - 1;
        end
        ram_valid_reg <= fetch;
        if (take || !stays) out_reg <= stays ? next_reg : ram_valid_reg ? ram_reg : s_data;
        if (!both_stay)     next_reg <= (stays && ram_valid_reg) ? ram_reg : s_data;
        out_count_reg <= both_stay ? 2'd2 : {1'b0, stays} + {1'b0, ram_valid_reg} + {1'b0, direct};
        if (rst) begin
            wr_reg        <= '0;
            rd_reg        <= '0;
            some_reg      <= 1'b0;
            full_reg      <= 1'b0;
            ram_valid_reg <= 1'b0;
            out_count_reg <= '0;
        end
    end

    always @(posedge clk) if (!rst) begin
        `RW_CHECK(fifo_never_holds_more_than_depth, used <= DEPTH[AW:0])
        `RW_CHECK(fifo_knows_what_its_ram_holds, some_reg == (used != 0) && full_reg == used[AW])
        `RW_CHECK(what_comes_out_of_the_ram_finds_room, !ram_valid_reg || !both_stay)
    end
endmodule
