// Any words through rw_fifo_ram: they come out in order, each once, one in each cycle while there is one; it is full
// with DEPTH words in the RAM, and only then.
`include "rw_check.svh"
module fifo_ram #(
    parameter W = 2
) (
    input logic         clk,
    input logic         rst,
    input logic         s_valid,
    input logic [W-1:0] s_data,
    input logic         m_ready
);
    localparam DEPTH = 4, ALL = DEPTH + 2;             // two more on their way out
    logic         s_ready, m_valid, awake;
    logic [W-1:0] m_data;
    rw_fifo_ram #(.W(W), .DEPTH(DEPTH)) dut (.*);

    (* hierconn *) wire [2:0]   \dut.wr_reg , \dut.rd_reg ;
    (* hierconn *) wire [W-1:0] \dut.mem[0] , \dut.mem[1] , \dut.mem[2] , \dut.mem[3] ;
    wire [DEPTH*W-1:0] mem  = {\dut.mem[3] , \dut.mem[2] , \dut.mem[1] , \dut.mem[0] };
    wire [DEPTH*W-1:0] turn = {mem, mem} >> (\dut.rd_reg [1:0] * W);   // the oldest word of the RAM lowest
    wire [2:0]         used = \dut.wr_reg - \dut.rd_reg ;
    (* hierconn *) wire [W-1:0] \dut.out_reg , \dut.next_reg , \dut.ram_reg ;
    (* hierconn *) wire         \dut.ram_valid_reg ;
    (* hierconn *) wire [1:0]   \dut.out_count_reg ;
    wire [1:0]         ahead = \dut.out_count_reg + {1'b0, \dut.ram_valid_reg };     // those not in the RAM any more
    wire [W-1:0]       second = \dut.ram_valid_reg ? \dut.ram_reg : \dut.next_reg ;

    // what is inside, the oldest word lowest
    logic [ALL*W-1:0] words;
    logic [2:0]       number;
    wire put = s_valid && s_ready;
    wire get = m_valid && m_ready;
    wire [2:0] after = number - {2'd0, get};
    wire [ALL*W-1:0] moved = get ? words >> W : words;
    wire [ALL*W-1:0] kept  = ~({ALL*W{1'b1}} << after * W);
    wire [ALL*W-1:0] behind = words >> ahead * W;      // those in the RAM

    initial assume (rst);
    always @(posedge clk) begin
        words  <= put ? (moved & kept) | ({{(ALL-1)*W{1'b0}}, s_data} << after * W) : moved & kept;
        number <= after + {2'd0, put};
        if (rst) begin
            words  <= '0;
            number <= '0;
        end
        if (!rst) begin
            `RW_CHECK(all_are_counted, number == used + {1'b0, ahead})
            `RW_CHECK(full_with_depth_words_in_ram, s_ready == (used < DEPTH))
            `RW_CHECK(room_for_depth_words, s_ready || number >= DEPTH)
            `RW_CHECK(a_word_inside_is_offered, m_valid == (number != 0))
            `RW_CHECK(oldest_word_first, !m_valid || m_data == words[W-1:0])
            `RW_CHECK(words_are_kept, ((turn ^ behind[DEPTH*W-1:0]) & ~({DEPTH*W{1'b1}} << used * W)) == '0)
            `RW_CHECK(second_word, ahead < 2 || second == words[2*W-1:W])
            `RW_CHECK(two_on_their_way_before_the_ram_fills, ahead <= 2 && (used == 0 || ahead == 2)
                && !(\dut.ram_valid_reg && \dut.out_count_reg == 0))
            filled: cover (number == ALL);
            full_and_empty_again: cover (number == 0 && \dut.rd_reg == DEPTH + 1);
            round_the_ram: cover (number == 1 && put && get);
        end
    end
endmodule
