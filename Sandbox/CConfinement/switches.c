#include "confinement.h"

#ifdef ALMA_TEST_SWITCHES
static uint32_t left_out;
static void (*layer_reached)(uint32_t layer);

/* Without no_new_privs the kernel takes no filter from whoever has no capability. */
void alma_leave_out(uint32_t layers)
{
    left_out = layers | (layers & ALMA_LAYER_NO_NEW_PRIVS ? ALMA_LAYER_SECCOMP : 0);
}
void alma_on_layer(void (*reached)(uint32_t layer)) { layer_reached = reached; }
int alma_left_out(uint32_t layer)
{
    if (layer_reached)
        layer_reached(layer);
    return (left_out & layer) != 0;
}
#else
void alma_leave_out(uint32_t layers) { (void)layers; }
int alma_left_out(uint32_t layer)
{
    (void)layer;
    return 0;
}
#endif
