// Queue reset: waits until nothing of the queue is on its way anywhere in the engine, has its prefetched descriptors
// dropped, and then sets its state back everywhere in one cycle.
// Latency: 3 cycles when the queue stands still, and one for each chunk of descriptors it holds.
module rw_queue_reset #(
    parameter QUEUES = 1                                // transmit queues
) (
    input  logic              clk,
    input  logic              rst,
    input  logic [QUEUES-1:0] resetting,
    input  logic [QUEUES-1:0] quiet,                    // nothing in flight, all completions visible
    input  logic [QUEUES-1:0] flushed,                  // no chunk of the pool is held
    output logic [QUEUES-1:0] flush,
    output logic [QUEUES-1:0] clear,                    // pulse: reset is done
    output logic              idle,
    output logic              awake
);
    logic [QUEUES-1:0] settled_reg;                     // quiet at the edge before as well: no step is half done
    assign clear = flush & flushed;
    assign idle  = (resetting & quiet) == '0 && flush == '0;
    assign awake = !idle || settled_reg != '0;
    always_ff @(posedge clk) begin
        settled_reg <= resetting & quiet;
        flush       <= ((resetting & quiet & settled_reg) | flush) & ~clear;
        if (rst) begin
            settled_reg <= '0;
            flush       <= '0;
        end
    end
endmodule
