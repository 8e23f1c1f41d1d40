// Statistics counters, 64 bits each, numbered as STAT_* in the register header.
// What is to be counted comes late in its cycle, and is registered first.
// Rate: all counters each cycle. Latency: 3 cycles.
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
    output logic              idle,                     // all is counted
    output logic              awake
);
`include "ringwire_regs.svh"
    logic [63:0] count_reg [0:STAT_COUNT-1];
    // ---- what happened in the cycle before
    logic        left_reg, last_reg, read_reg, cpl_reg, head_reg, doorbell_reg, bad_doorbell_reg, write_failed_reg;
    logic [3:0]  status_reg, fetched_reg;
    logic [14:0] bytes_reg;
    logic [4:0]  irqs, irqs_reg;
    integer i;
    always @* begin
        irqs = '0;
        for (i = 0; i < QUEUES; i = i + 1) irqs = irqs + {4'd0, irq[i]};
    end
    always_ff @(posedge clk) begin
        left_reg         <= done_valid;
        fetched_reg      <= fetched;
        read_reg         <= read;
        cpl_reg          <= cpl;
        head_reg         <= head;
        irqs_reg         <= irqs;
        doorbell_reg     <= doorbell;
        bad_doorbell_reg <= bad_doorbell != '0;
        write_failed_reg <= write_failed != '0;
        if (done_valid) begin
            last_reg   <= done_last;
            status_reg <= done_status;
            bytes_reg  <= done_bytes;
        end
        if (rst) begin
            {left_reg, read_reg, cpl_reg, head_reg, doorbell_reg, bad_doorbell_reg, write_failed_reg} <= '0;
            {fetched_reg, irqs_reg} <= '0;
        end
    end

    // ---- count it
    wire some = left_reg || fetched_reg != 4'd0 || read_reg || cpl_reg || head_reg || irqs_reg != 5'd0 || doorbell_reg
             || bad_doorbell_reg || write_failed_reg;
    wire sent = left_reg && status_reg == STATUS_OK[3:0];
    logic [14:0] step [0:STAT_COUNT-1];                 // by how much each counter goes on
    logic [14:0] step_reg [0:STAT_COUNT-1];
    logic        some_reg;                              // one does, or there is nothing to add
    assign step[STAT_TX_FRAMES]     = {14'd0, sent};
    assign step[STAT_TX_BYTES]      = sent ? bytes_reg : 15'd0;
    assign step[STAT_DESC_FETCHED]  = {11'd0, fetched_reg};
    assign step[STAT_READ_REQUESTS] = {14'd0, read_reg};
    assign step[STAT_CPL_WRITTEN]   = {14'd0, cpl_reg};
    assign step[STAT_HEAD_WRITTEN]  = {14'd0, head_reg};
    assign step[STAT_INTERRUPTS]    = {10'd0, irqs_reg};
    assign step[STAT_DOORBELLS]     = {14'd0, doorbell_reg};
    assign step[STAT_WRITE_ERRORS]  = {14'd0, write_failed_reg};
    genvar e;
    generate
        // the counters of errors follow each other in the order of their status
        for (e = 1; e < STAT_COUNT - STAT_ERR_BAD_LENGTH + 1; e = e + 1) begin : g_error
            if (e == STATUS_BAD_DOORBELL) begin : g_doorbell
                assign step[STAT_ERR_BAD_LENGTH + e - 1] = {14'd0, bad_doorbell_reg};
            end else begin : g_packet
                assign step[STAT_ERR_BAD_LENGTH + e - 1] = {14'd0, left_reg && last_reg && status_reg == e};
            end
        end
    endgenerate
    // each counter or zero, all together: less than a multiplexer of so many words
    integer v;
    always @* begin
        value = '0;
        for (v = 0; v < STAT_COUNT; v = v + 1) value = value | (count_reg[v] & {64{select == v[4:0]}});
    end
    assign idle  = !some && !some_reg;
    assign awake = !idle || done_valid || fetched != '0 || read || cpl || head || irq != '0 || doorbell || bad_doorbell != '0
            || write_failed != '0;

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
