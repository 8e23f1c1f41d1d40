// Any words through rw_fifo: they come out in order, each once; it is full
// with DEPTH words in the RAM, and only then.
`include "rw_check.svh"
module fifo #(
    parameter W = 2
) (
    input logic         clk,
    input logic         rst,
    input logic         s_valid,
    input logic [W-1:0] s_data,
    input logic         m_ready
);
    localparam DEPTH = 4, ALL = DEPTH + 1;             // one more on its way out
    logic         s_ready, m_valid;
    logic [W-1:0] m_data;
    logic [2:0]   count;
    rw_fifo #(.W(W), .DEPTH(DEPTH)) dut (.*);

    (* hierconn *) wire [2:0]   \dut.wr_reg , \dut.rd_reg ;
    (* hierconn *) wire         \dut.valid_reg ;
    (* hierconn *) wire [W-1:0] \dut.mem[0] , \dut.mem[1] , \dut.mem[2] , \dut.mem[3] ;
    wire [DEPTH*W-1:0] mem  = {\dut.mem[3] , \dut.mem[2] , \dut.mem[1] , \dut.mem[0] };
    wire [DEPTH*W-1:0] turn = {mem, mem} >> (\dut.rd_reg [1:0] * W);   // the oldest word of the RAM lowest
    wire [2:0]         used = \dut.wr_reg - \dut.rd_reg ;

    // what is inside, the oldest word lowest
    logic [ALL*W-1:0] words;
    logic [2:0]         number;
    wire put = s_valid && s_ready;
    wire get = m_valid && m_ready;
    wire [2:0] after = number - {2'd0, get};
    wire [ALL*W-1:0] moved = get ? words >> W : words;
    wire [ALL*W-1:0] kept  = ~({ALL*W{1'b1}} << after * W);
    wire [ALL*W-1:0] behind = \dut.valid_reg ? words >> W : words;      // those in the RAM

    initial assume (rst);
    always @(posedge clk) begin
        words  <= put ? (moved & kept) | ({{(ALL-1)*W{1'b0}}, s_data} << after * W) : moved & kept;
        number <= after + {2'd0, put};
        if (rst) begin
            words  <= '0;
            number <= '0;
        end
        if (!rst) begin
            `RW_CHECK(count_is_right, count == number)
            `RW_CHECK(full_with_depth_words, s_ready == (used < DEPTH))
            `RW_CHECK(room_for_depth_words, s_ready || number >= DEPTH)
            `RW_CHECK(a_word_is_on_its_way_out, \dut.valid_reg || used == 0)
            `RW_CHECK(a_word_inside_is_offered, m_valid == (number != 0))
            `RW_CHECK(oldest_word_first, !m_valid || m_data == words[W-1:0])
            `RW_CHECK(words_are_kept, ((turn ^ behind[DEPTH*W-1:0]) & ~({DEPTH*W{1'b1}} << used * W)) == '0)
            filled: cover (number == ALL);
            full_and_empty_again: cover (number == 0 && \dut.rd_reg == DEPTH + 1);
            put_and_get_at_once: cover (number == DEPTH && put && get);
        end
    end
endmodule
