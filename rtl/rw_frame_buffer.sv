// Frame buffer: two write ports, for beats that are neighbours if both write at once, and one read port. Two banks take
// the even and the odd beats, so that plain block RAM will do.
// Rate: two beats in and a beat out each cycle. Latency: reads 1 cycle.
module rw_frame_buffer #(
    parameter DATA_W = 512,                             // width of a beat, bits
    parameter LOG2   = 10                               // beats, power of two
) (
    input  logic              clk,
    input  logic              wr_a_en,
    input  logic [LOG2-1:0]   wr_a_addr,
    input  logic [DATA_W-1:0] wr_a_data,
    input  logic              wr_b_en,
    input  logic [LOG2-1:0]   wr_b_addr,
    input  logic [DATA_W-1:0] wr_b_data,
    input  logic              rd_en,
    input  logic [LOG2-1:0]   rd_addr,
    output logic [DATA_W-1:0] rd_data,
    output logic              awake
);
    // never read where they are written: a frame is read when it is whole
    (* no_rw_check *) logic [DATA_W-1:0] even [0:(1<<(LOG2-1))-1];
    (* no_rw_check *) logic [DATA_W-1:0] odd  [0:(1<<(LOG2-1))-1];
    logic [DATA_W-1:0] even_reg, odd_reg;
    logic              is_odd_reg;
    wire a_even = wr_a_en && !wr_a_addr[0];
    wire a_odd  = wr_a_en && wr_a_addr[0];
    assign rd_data = is_odd_reg ? odd_reg : even_reg;
    assign awake = wr_a_en || wr_b_en || rd_en;
    always_ff @(posedge clk) begin
        if (a_even || (wr_b_en && !wr_b_addr[0]))
            even[a_even ? wr_a_addr[LOG2-1:1] : wr_b_addr[LOG2-1:1]] <= a_even ? wr_a_data : wr_b_data;
        if (a_odd || (wr_b_en && wr_b_addr[0]))
            odd[a_odd ? wr_a_addr[LOG2-1:1] : wr_b_addr[LOG2-1:1]] <= a_odd ? wr_a_data : wr_b_data;
        if (rd_en && !rd_addr[0]) even_reg <= even[rd_addr[LOG2-1:1]];
        if (rd_en && rd_addr[0])  odd_reg  <= odd[rd_addr[LOG2-1:1]];
        if (rd_en) is_odd_reg <= rd_addr[0];
    end
endmodule
