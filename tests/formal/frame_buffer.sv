// rw_frame_buffer: a read gives what was written last to its beat, also if the other port writes, too.
// Relies on: two beats written at once are neighbours (rw_gather checks it).
`include "rw_check.svh"
module frame_buffer #(
    parameter DATA_W = 4,
    parameter LOG2   = 3
) (
    input logic              clk,
    input logic              rst,
    input logic              wr_a_en,
    input logic [LOG2-1:0]   wr_a_addr,
    input logic [DATA_W-1:0] wr_a_data,
    input logic              wr_b_en,
    input logic [LOG2-1:0]   wr_b_addr,
    input logic [DATA_W-1:0] wr_b_data,
    input logic              rd_en,
    input logic [LOG2-1:0]   rd_addr
);
    logic [DATA_W-1:0] rd_data;
    logic              awake;
    rw_frame_buffer #(.DATA_W(DATA_W), .LOG2(LOG2)) dut (.*);
    (* hierconn *) wire [DATA_W-1:0] \dut.even[0] , \dut.even[1] , \dut.even[2] , \dut.even[3] ;
    (* hierconn *) wire [DATA_W-1:0] \dut.odd[0] , \dut.odd[1] , \dut.odd[2] , \dut.odd[3] ;
    wire [8*DATA_W-1:0] all = {\dut.odd[3] , \dut.even[3] , \dut.odd[2] , \dut.even[2] ,
                               \dut.odd[1] , \dut.even[1] , \dut.odd[0] , \dut.even[0] };

    (* anyconst *) logic [LOG2-1:0] addr;              // any beat
    logic [DATA_W-1:0] word, answer;
    logic              known, asked;
    initial assume (rst);
    always @(posedge clk) begin
        if (rd_en) answer <= word;
        if (rd_en) asked <= known && rd_addr == addr;
        if (wr_a_en && wr_a_addr == addr)      word <= wr_a_data;
        else if (wr_b_en && wr_b_addr == addr) word <= wr_b_data;
        known <= known || (wr_a_en && wr_a_addr == addr) || (wr_b_en && wr_b_addr == addr);
        if (rst) begin
            known <= 1'b0;
            asked <= 1'b0;
        end
        if (!rst) begin
            assume (!(wr_a_en && wr_b_en) || wr_a_addr[0] != wr_b_addr[0]);
            `RW_CHECK(a_read_gives_what_was_written_last, !asked || rd_data == answer)
            `RW_CHECK(a_beat_is_kept, !known || all[addr*DATA_W +: DATA_W] == word)
            read_while_both_write: cover (asked && rd_en && wr_a_en && wr_b_en && wr_b_addr == addr && rd_data != word);
        end
    end
endmodule
