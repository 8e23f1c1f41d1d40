// rw_desc_pool: a chunk is handed out only while it is free, and comes back once; what a queue's group is said to be in
// is the chunk it took; a queue below its reserve always finds a chunk, whatever the others do.
// Relies on: a queue takes chunks only while it may, for one group after the other, and gives back only what it holds;
// a queue that is flushed does neither.
`include "rw_check.svh"
module desc_pool #(
    parameter RESERVE = 1,
    parameter CHUNKS  = 4,
    parameter CW      = 2
) (
    input logic         clk,
    input logic         rst,
    input logic         take_valid,
    input logic         take_queue,
    input logic         give_valid,
    input logic         give_queue,
    input logic [1:0]   flush,
    input logic         wr_lanes,
    input logic [CW-1:0] wr_chunk,
    input logic [2:0]   wr_slot,
    input logic [127:0] wr_data,
    input logic         a_en,
    input logic         a_queue,
    input logic [8:0]   a_index,
    input logic         b_en,
    input logic         b_queue,
    input logic [8:0]   b_index
);
    logic [1:0]    can_take, flushed;
    logic [CW-1:0] take_chunk, last_chunk;
    logic [127:0]  a_data, b_data;
    logic          idle, awake;
    logic [5:0]    take_group;
    // any group of any queue: what is proved of it holds for all
    (* anyconst *) logic last_queue;
    (* anyconst *) logic [5:0] last_group;
    rw_desc_pool #(.DATA_W(64), .QUEUES(2), .RESERVE(RESERVE), .CHUNKS(CHUNKS)) dut (.*);

    (* hierconn *) wire          \dut.back_valid , \dut.back_queue ;
    (* hierconn *) wire [CW-1:0] \dut.back_chunk ;
    (* hierconn *) wire [CW:0]   \dut.fresh_reg , \dut.free_reg , \dut.owed_reg , \dut.free_fifo.wr_reg ,
        \dut.free_fifo.rd_reg ;
    (* hierconn *) wire [6:0]    \dut.used_reg[0] , \dut.used_reg[1] ;
    (* hierconn *) wire [5:0]    \dut.oldest_reg[0] , \dut.oldest_reg[1] ;
    (* hierconn *) wire [CW-1:0] \dut.free_fifo.mem[0] , \dut.free_fifo.mem[1] , \dut.free_fifo.mem[2] ,
        \dut.free_fifo.mem[3] ;
    (* hierconn *) wire          \dut.free_fifo.valid_reg ;
    (* hierconn *) wire [CW-1:0] \dut.free_fifo.out_reg ;
    // the word on its way out is taken for one at its place in the RAM
    wire        out_valid = \dut.free_fifo.valid_reg ;
    wire [CW:0] put_at = \dut.free_fifo.wr_reg , get_at = \dut.free_fifo.rd_reg - {{CW{1'b0}}, out_valid};
    wire [CHUNKS*CW-1:0] out_place = {{(CHUNKS-1)*CW{1'b0}}, {CW{out_valid}}} << get_at[CW-1:0] * CW;
    wire [CHUNKS*CW-1:0] list = ({\dut.free_fifo.mem[3] , \dut.free_fifo.mem[2] , \dut.free_fifo.mem[1] ,
        \dut.free_fifo.mem[0] } & ~out_place) | ({CHUNKS{\dut.free_fifo.out_reg }} & out_place);
    wire [CW:0] length = put_at - get_at;
    wire        back = \dut.back_valid , back_queue = \dut.back_queue ;
    wire [CW-1:0] back_chunk = \dut.back_chunk ;

    // ---- where each chunk is
    localparam [1:0] FRESH = 0, LISTED = 1, HELD = 2;
    logic [1:0]  state [0:CHUNKS-1];
    logic [6:0]  holder [0:CHUNKS-1];                  // queue and group
    logic [CW:0] place [0:CHUNKS-1];                   // in the list
    logic [6:0]  used0, used1;
    logic [5:0]  oldest0, oldest1;
    wire  [5:0]  back_group = back_queue ? oldest1 : oldest0;
    wire  [5:0]  next0 = oldest0 + used0[5:0], next1 = oldest1 + used1[5:0];
    wire  [6:0]  mine  = last_queue ? used1 : used0;
    wire  [5:0]  depth = last_group - (last_queue ? oldest1 : oldest0);
    wire         holds = {1'b0, depth} < mine;         // the queue holds a chunk for this group
    wire  [CW:0] short0 = (used0 < RESERVE) ? RESERVE - used0[CW:0] : '0;
    wire  [CW:0] short1 = (used1 < RESERVE) ? RESERVE - used1[CW:0] : '0;
    wire  [CW:0] free   = CHUNKS - used0[CW:0] - used1[CW:0];
    logic        known;                                // what came back at the edge before was what its group held
    logic [1:0]  flushing;
    assign take_group = take_queue ? next1 : next0;

    logic chunks_ok, list_ok;
    logic [CW:0]   at;
    logic [CW-1:0] from, chunk;
    integer n, i;
    always_comb begin
        chunks_ok = 1'b1;
        list_ok   = 1'b1;
        for (n = 0; n < CHUNKS; n = n + 1) begin
            at = place[n] - get_at;
            if (state[n] == 3 || (state[n] == FRESH) != (n[CW:0] >= \dut.fresh_reg )) chunks_ok = 1'b0;
            if (state[n] == LISTED && (at >= length || list[place[n][CW-1:0]*CW +: CW] != n[CW-1:0])) chunks_ok = 1'b0;
        end
        for (i = 0; i < CHUNKS; i = i + 1) begin
            from  = i[CW-1:0] - get_at[CW-1:0];
            chunk = list[i*CW +: CW];
            if ({1'b0, from} < length && !(state[chunk] == LISTED && place[chunk][CW-1:0] == i[CW-1:0]))
                list_ok = 1'b0;
        end
    end

    initial assume (rst);
    integer c;
    always @(posedge clk) begin
        for (c = 0; c < CHUNKS; c = c + 1) begin
            if (take_valid && take_chunk == c) begin
                state[c]  <= HELD;
                holder[c] <= {take_queue, take_group};
            end
            if (back && back_chunk == c) begin
                state[c] <= LISTED;
                place[c] <= put_at;
            end
            if (rst) state[c] <= FRESH;
        end
        used0 <= used0 + {6'd0, take_valid && !take_queue} - {6'd0, back && !back_queue};
        used1 <= used1 + {6'd0, take_valid && take_queue} - {6'd0, back && back_queue};
        oldest0 <= (flush[0] && used0 == 0) ? 6'd0 : oldest0 + {5'd0, back && !back_queue};
        oldest1 <= (flush[1] && used1 == 0) ? 6'd0 : oldest1 + {5'd0, back && back_queue};
        known <= !back || (state[back_chunk] == HELD
                           && holder[back_chunk] == {back_queue, back_group});
        flushing <= flush & ~flushed;
        if (rst) begin
            used0    <= '0;
            used1    <= '0;
            oldest0  <= '0;
            oldest1  <= '0;
            known    <= 1'b1;
            flushing <= '0;
        end
        if (!rst) begin
            assume (!take_valid || (can_take[take_queue] && !flush[take_queue]));
            assume (!give_valid || ((give_queue ? used1 : used0) != 0 && !flush[give_queue]));
            assume ((flushing & ~flush) == 0);
            // what is proved of any group (the_chunk_of_a_group) held for the one whose chunk came back
            assume (known);

            `RW_CHECK(a_chunk_is_taken_while_free, !take_valid || (state[take_chunk] != HELD))
            `RW_CHECK(the_chunk_of_a_group, !holds || (state[last_chunk] == HELD
                && holder[last_chunk] == {last_queue, last_group}))
            `RW_CHECK(reserve_is_always_there,
                      {can_take[1] || used1 >= RESERVE, can_take[0] || used0 >= RESERVE} == 2'b11)
            `RW_CHECK(none_is_lost, used0 + used1 <= CHUNKS && \dut.free_reg == free && free >= short0 + short1)
            `RW_CHECK(others_reserve_is_left, !(take_valid && !take_queue && used0 >= RESERVE) || free > short1)
            `RW_CHECK(what_is_given_back_comes_back, give_valid ? back && back_queue == give_queue
                : !back || (flush[back_queue] && !flushed[back_queue]))
            `RW_CHECK(flushed_is_true, flushed == {used1 == 0, used0 == 0})
            `RW_CHECK(a_flush_goes_on, !(flush[0] && used0 != 0) || give_valid || back)
            `RW_CHECK(asleep_only_with_nothing_to_flush, !idle || (flush & ~flushed) == 0)
            // what the pool knows
            `RW_CHECK(state_is_known,
                      {\dut.used_reg[1] , \dut.used_reg[0] , \dut.oldest_reg[1] , \dut.oldest_reg[0] , \dut.owed_reg }
                == {used1, used0, oldest1, oldest0, short0 + short1} && \dut.fresh_reg <= CHUNKS)
            `RW_CHECK(every_chunk_is_somewhere, chunks_ok)
            `RW_CHECK(list_of_free_ones, list_ok)
            `RW_CHECK(length_of_the_list, length == free + \dut.fresh_reg - CHUNKS && length <= CHUNKS)

            one_takes_all_but_the_reserve: cover (used0 == CHUNKS - RESERVE && !can_take[0] && used1 == 0);
            taken_again: cover (take_valid && state[take_chunk] == LISTED && back);
            flushed_with_two: cover (flush[1] && used1 == 1 && flushing[1] && !give_valid);
        end
    end
endmodule
