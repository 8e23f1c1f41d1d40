// Statistics counters, 64 bits each, numbered as STAT_* in the register header.
// Rate: all counters each cycle. Latency: 2 cycles.
module rw_stats #(
    parameter QUEUES = 1                                // transmit queues
) (
    input  logic              clk,
    input  logic              rst,
    input  logic              done_valid,               // a frame has left the pipeline
    input  logic [3:0]        done_status,
    input  logic              done_last,                // ... and its packet with it
    input  logic [14:0]       done_bytes,
    input  logic [3:0]        fetched,                  // descriptors
    input  logic              read,                     // payload burst
    input  logic              cpl,                      // completion written
    input  logic              head,                     // head record written
    input  logic [QUEUES-1:0] irq,
    input  logic              doorbell,
    input  logic [QUEUES-1:0] bad_doorbell,
    input  logic [QUEUES-1:0] write_failed,
    input  logic [4:0]        select,
    output logic [63:0]       value,
    output logic              idle                      // all is counted
);
`include "ringwire_regs.svh"
    logic [63:0] count_reg [0:STAT_COUNT-1];
    logic [4:0]  irqs;
    integer i;
    always @* begin
        irqs = '0;
        for (i = 0; i < QUEUES; i = i + 1) irqs = irqs + {4'd0, irq[i]};
    end

    wire some = done_valid || fetched != 4'd0 || read || cpl || head || irq != '0 || doorbell || bad_doorbell != '0
             || write_failed != '0;
    wire sent = done_valid && done_status == STATUS_OK[3:0];
    logic [14:0] step [0:STAT_COUNT-1];                 // by how much each counter goes on
    logic [14:0] step_reg [0:STAT_COUNT-1];
    logic        some_reg;                              // one does, or there is nothing to add
    assign step[STAT_TX_FRAMES]     = {14'd0, sent};
    assign step[STAT_TX_BYTES]      = sent ? done_bytes : 15'd0;
    assign step[STAT_DESC_FETCHED]  = {11'd0, fetched};
    assign step[STAT_READ_REQUESTS] = {14'd0, read};
    assign step[STAT_CPL_WRITTEN]   = {14'd0, cpl};
    assign step[STAT_HEAD_WRITTEN]  = {14'd0, head};
    assign step[STAT_INTERRUPTS]    = {10'd0, irqs};
    assign step[STAT_DOORBELLS]     = {14'd0, doorbell};
    assign step[STAT_WRITE_ERRORS]  = {14'd0, write_failed != '0};
    genvar e;
    generate
        // the counters of errors follow each other in the order of their status
        for (e = 1; e < STAT_COUNT - STAT_ERR_BAD_LENGTH + 1; e = e + 1) begin : g_error
            if (e == STATUS_BAD_DOORBELL) begin : g_doorbell
                assign step[STAT_ERR_BAD_LENGTH + e - 1] = {14'd0, bad_doorbell != '0};
            end else begin : g_packet
                assign step[STAT_ERR_BAD_LENGTH + e - 1] = {14'd0, done_valid && done_last && done_status == e};
            end
        end
    endgenerate
    // each counter or zero, all together: less than a multiplexer of so many words
    integer v;
    always @* begin
        value = '0;
        for (v = 0; v < STAT_COUNT; v = v + 1) value = value | (count_reg[v] & {64{select == v[4:0]}});
    end
    assign idle  = !some_reg;

    integer k;
    always_ff @(posedge clk) begin
        some_reg <= some;
        if (some || some_reg)
            for (k = 0; k < STAT_COUNT; k = k + 1) begin
                step_reg[k]  <= step[k];
                count_reg[k] <= count_reg[k] + {49'd0, step_reg[k]};
            end
        if (rst) begin
            some_reg <= 1'b0;
            for (k = 0; k < STAT_COUNT; k = k + 1) begin
                step_reg[k]  <= '0;
                count_reg[k] <= '0;
            end
        end
    end
endmodule
