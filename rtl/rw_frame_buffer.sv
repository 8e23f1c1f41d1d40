// Frame buffer: one write port, one read port.
// Rate: a beat in and a beat out each cycle. Latency: reads 1 cycle.
module rw_frame_buffer #(
    parameter DATA_W = 512,                             // width of a beat, bits
    parameter LOG2   = 10                               // beats, power of two
) (
    input  logic              clk,
    input  logic              wr_en,
    input  logic [LOG2-1:0]   wr_addr,
    input  logic [DATA_W-1:0] wr_data,
    input  logic              rd_en,
    input  logic [LOG2-1:0]   rd_addr,
    output logic [DATA_W-1:0] rd_data
);
    logic [DATA_W-1:0] mem [0:(1<<LOG2)-1];
    always_ff @(posedge clk) begin
        if (wr_en) mem[wr_addr] <= wr_data;
        if (rd_en) rd_data <= mem[rd_addr];
    end
endmodule
