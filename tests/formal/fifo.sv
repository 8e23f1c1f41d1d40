// Any words through rw_fifo: they come out in order, each once; it is full with DEPTH words, and only then.
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
    localparam DEPTH = 4;
    logic         s_ready, m_valid;
    logic [W-1:0] m_data;
    logic [2:0]   count;
    rw_fifo #(.W(W), .DEPTH(DEPTH)) dut (.*);

    (* hierconn *) wire [2:0]   \dut.rd_reg ;
    (* hierconn *) wire [W-1:0] \dut.mem[0] , \dut.mem[1] , \dut.mem[2] , \dut.mem[3] ;
    wire [DEPTH*W-1:0] mem  = {\dut.mem[3] , \dut.mem[2] , \dut.mem[1] , \dut.mem[0] };
    wire [DEPTH*W-1:0] turn = {mem, mem} >> (\dut.rd_reg [1:0] * W);   // the oldest word lowest

    // what is inside, the oldest word lowest
    logic [DEPTH*W-1:0] words;
    logic [2:0]         number;
    wire put = s_valid && s_ready;
    wire get = m_valid && m_ready;
    wire [2:0] after = number - {2'd0, get};
    wire [DEPTH*W-1:0] moved = get ? words >> W : words;
    wire [DEPTH*W-1:0] kept  = ~({DEPTH*W{1'b1}} << after * W);

    initial assume (rst);
    always @(posedge clk) begin
        words  <= put ? (moved & kept) | ({{(DEPTH-1)*W{1'b0}}, s_data} << after * W) : moved & kept;
        number <= after + {2'd0, put};
        if (rst) begin
            words  <= '0;
            number <= '0;
        end
        if (!rst) begin
            `RW_CHECK(count_is_right, count == number)
            `RW_CHECK(full_with_depth_words, s_ready == (number < DEPTH))
            `RW_CHECK(a_word_inside_is_offered, m_valid == (number != 0))
            `RW_CHECK(oldest_word_first, !m_valid || m_data == words[W-1:0])
            `RW_CHECK(words_are_kept, ((turn ^ words) & ~({DEPTH*W{1'b1}} << number * W)) == '0)
            full_and_empty_again: cover (number == 0 && \dut.rd_reg == DEPTH + 1);
            put_and_get_at_once: cover (number == DEPTH - 1 && put && get);
        end
    end
endmodule
